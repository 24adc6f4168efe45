//! An XDP program that passes everything, assembled by hand: two instructions need no object file.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use anyhow::{Context as _, Result};

/// `struct bpf_insn`: opcode, registers, offset, immediate.
#[repr(C)]
struct Instruction {
    opcode: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(opcode: u8, immediate: i32) -> Instruction {
    Instruction {
        opcode,
        registers: 0,
        offset: 0,
        immediate,
    }
}

const BPF_MOV64_IMM: u8 = 0xb7;
const BPF_EXIT: u8 = 0x95;
const XDP_PASS: i32 = 2;

static PROGRAM: [Instruction; 2] = [
    instruction(BPF_MOV64_IMM, XDP_PASS),
    instruction(BPF_EXIT, 0),
];
static LICENSE: &std::ffi::CStr = c"GPL";

/// Head of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes the rest as zero.
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
}

/// Head of `union bpf_attr` for `BPF_OBJ_PIN`.
#[repr(C)]
struct ObjPin {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_PROG_TYPE_XDP: u32 = 6;

/// Loads the program and pins it.
pub(super) fn load(pin: &Path) -> Result<()> {
    let load = ProgLoad {
        prog_type: BPF_PROG_TYPE_XDP,
        insn_cnt: u32::try_from(PROGRAM.len())?,
        insns: PROGRAM.as_ptr().expose_provenance() as u64,
        license: LICENSE.as_ptr().expose_provenance() as u64,
    };
    // SAFETY: the addresses are those of statics of the given lengths, and the kernel only reads
    // them.
    let program = unsafe { bpf(BPF_PROG_LOAD, &load) }.context("cannot load an XDP program")?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    let program = unsafe { OwnedFd::from_raw_fd(program) };

    let path = CString::new(pin.as_os_str().as_bytes())?;
    let pinning = ObjPin {
        pathname: path.as_ptr().expose_provenance() as u64,
        bpf_fd: u32::try_from(program.as_raw_fd())?,
        file_flags: 0,
    };
    // SAFETY: `path` ends in NUL and outlives the call, which only reads it.
    unsafe { bpf(BPF_OBJ_PIN, &pinning) }
        .map(drop)
        .with_context(|| format!("cannot pin an XDP program at {}", pin.display()))
}

/// Calls `bpf(2)`.
///
/// # Safety
/// `attr` is what this command takes, and every address in it is valid for it.
unsafe fn bpf<T>(command: libc::c_int, attr: &T) -> io::Result<libc::c_int> {
    // SAFETY: the kernel reads `size_of::<T>()` octets at `attr`; the caller guarantees the rest.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attr),
            size_of::<T>(),
        )
    };
    libc::c_int::try_from(result)
        .ok()
        .filter(|result| *result >= 0)
        .ok_or_else(io::Error::last_os_error)
}
