//! Attaches the program: one pinned XDP link per interface.

use aya::{
    Ebpf,
    programs::{
        ProgramError, Xdp, XdpError, XdpMode,
        links::{FdLink, PinnedLink},
        xdp::XdpLink,
    },
};
use dhcp_common::abi::PROGRAM;

use super::{
    error::{AttachProblem, DatapathError},
    host::Interface,
    link_mode::LinkMode,
    map_layout::Object,
    pins::{Generation, LinkPin, PinDir, object},
};

/// The loaded program, and the directory of its links.
///
/// Dropping it detaches nothing: the program continues to answer.
#[derive(Debug)]
pub struct Links {
    /// Keeps the program; its maps have been taken out.
    ebpf: Ebpf,
    pins: PinDir,
    generation: Generation,
    attached: Vec<LinkPin>,
}

impl Links {
    pub(super) const fn new(ebpf: Ebpf, pins: PinDir, generation: Generation) -> Self {
        Self {
            ebpf,
            pins,
            generation,
            attached: Vec::new(),
        }
    }

    /// Attaches this program to an interface.
    ///
    /// A link that an earlier controller pinned gets the program in one step, so that no frame
    /// misses both.
    ///
    /// # Errors
    /// The interface is as it was.
    pub fn attach(
        &mut self,
        interface: &Interface,
        generic_allowed: bool,
    ) -> Result<LinkMode, DatapathError> {
        let pinned = self.pinned(interface.ifindex)?;
        let pin = match pinned {
            Some(pin) => self.replace(pin, generic_allowed),
            None => self.attach_anew(interface, generic_allowed),
        }
        .map_err(|problem| DatapathError::Attach {
            interface: interface.name.clone(),
            problem,
        })?;
        self.attached.push(pin);
        Ok(pin.mode)
    }

    /// Makes the present links and maps the state that the next controller adopts: detaches from
    /// interfaces for which [`Links::attach`] was not called, and removes maps of earlier
    /// generations.
    ///
    /// # Errors
    /// Some of these are left; the next controller will find them.
    pub fn settle(&self) -> Result<(), DatapathError> {
        self.pins.set_current(self.generation)?;
        let contents = self.pins.contents()?;
        for pin in contents.links {
            if !self.attached.contains(&pin) {
                self.pins.remove_link(pin)?;
            }
        }
        for generation in contents.generations {
            if generation != self.generation {
                self.pins.remove_generation(generation)?;
            }
        }
        Ok(())
    }

    /// Returns the mode in which an earlier controller's program is attached to an interface, if
    /// one is.
    ///
    /// # Errors
    /// The pins cannot be read.
    pub fn attached_mode(&self, ifindex: u32) -> Result<Option<LinkMode>, DatapathError> {
        Ok(self.pinned(ifindex)?.map(|pin| pin.mode))
    }

    /// Detaches the program from an interface for which [`Links::attach`] was called.
    ///
    /// # Errors
    /// The pin could not be removed, and the program still runs there.
    pub fn detach(&mut self, ifindex: u32) -> Result<(), DatapathError> {
        let pins = self.attached.extract_if(.., |pin| pin.ifindex == ifindex);
        for pin in pins.collect::<Vec<_>>() {
            self.pins.remove_link(pin)?;
        }
        Ok(())
    }

    /// Returns the pin of a link that is attached to this interface. A new interface may have the
    /// index of an earlier one, whose links are then attached to nothing: they are removed.
    fn pinned(&self, ifindex: u32) -> Result<Option<LinkPin>, DatapathError> {
        let mut found = None;
        for mode in LinkMode::ALL {
            let pin = LinkPin { ifindex, mode };
            let path = self.pins.link(pin);
            if !path.exists() {
                continue;
            }
            match object(&path)? {
                Object::XdpLink { ifindex: actual } if actual == ifindex => found = Some(pin),
                _ => self.pins.remove_link(pin)?,
            }
        }
        Ok(found)
    }

    fn replace(&mut self, pin: LinkPin, generic_allowed: bool) -> Result<LinkPin, AttachProblem> {
        if pin.mode == LinkMode::Generic && !generic_allowed {
            return Err(AttachProblem::GenericNotAllowed);
        }
        let path = self.pins.link(pin);
        let kernel = |error: ProgramError| AttachProblem::Kernel(Box::new(error));
        let link = PinnedLink::from_pin(&path)
            .and_then(|link| XdpLink::try_from(FdLink::from(link)))
            .map_err(AttachProblem::Reopen)?;
        let program = program(&mut self.ebpf).map_err(kernel)?;
        let id = program.attach_to_link(link).map_err(kernel)?;
        // The pin keeps the link; dropping the program must not detach it.
        program.take_link(id).map(drop).map_err(kernel)?;
        Ok(pin)
    }

    fn attach_anew(
        &mut self,
        interface: &Interface,
        generic_allowed: bool,
    ) -> Result<LinkPin, AttachProblem> {
        let native = self.attach_mode(interface.ifindex, LinkMode::Native);
        match native {
            Err(AttachProblem::NoNative { reason, .. }) if generic_allowed => {
                tracing::warn!(
                    interface = interface.name,
                    driver = interface.driver_label(),
                    reason,
                    "no native XDP; falling back to generic mode"
                );
                self.attach_mode(interface.ifindex, LinkMode::Generic)
            }
            Err(AttachProblem::NoNative { reason, .. }) => Err(AttachProblem::NoNative {
                driver: interface.driver_label().to_owned(),
                reason,
            }),
            result => result,
        }
    }

    fn attach_mode(&mut self, ifindex: u32, mode: LinkMode) -> Result<LinkPin, AttachProblem> {
        let pin = LinkPin { ifindex, mode };
        let program = program(&mut self.ebpf).map_err(|error| problem(error, mode))?;
        let xdp_mode = match mode {
            LinkMode::Native => XdpMode::Driver,
            LinkMode::Generic => XdpMode::Skb,
        };
        let id = program
            .attach_to_if_index(ifindex, xdp_mode)
            .map_err(|error| problem(error, mode))?;
        let link = program
            .take_link(id)
            .map_err(|error| problem(error, mode))?;
        let link = FdLink::try_from(link).map_err(|_| AttachProblem::NoLinks)?;
        link.pin(self.pins.link(pin)).map_err(AttachProblem::Pin)?;
        Ok(pin)
    }
}

/// Returns the program in the object.
pub(super) fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, ProgramError> {
    ebpf.program_mut(PROGRAM)
        .ok_or(ProgramError::NotLoaded)?
        .try_into()
}

/// Translates a refusal of the kernel.
fn problem(error: ProgramError, mode: LinkMode) -> AttachProblem {
    let errno = match &error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::XdpError(XdpError::NetlinkError(error)) => error.raw_os_error(),
        _ => None,
    };
    match errno {
        // EEXIST: attached in the other mode (dev_xdp_attach in net/core/dev.c).
        Some(libc::EBUSY | libc::EEXIST) => AttachProblem::Occupied,
        // Errors of drivers without support, or without it for their MTU, queues or offloads.
        Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE | libc::ENOSPC | libc::ENOMEM)
            if mode == LinkMode::Native =>
        {
            AttachProblem::NoNative {
                driver: String::new(),
                reason: errno.map_or_else(String::new, |errno| {
                    std::io::Error::from_raw_os_error(errno).to_string()
                }),
            }
        }
        _ => AttachProblem::Kernel(Box::new(error)),
    }
}
