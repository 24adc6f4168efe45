//! What is done on which message in which state: RFC 2131 §4.3.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::abi::ClientKey;
use dhcp_config::Classes;

use super::{
    Context, Counter, Engine, Held, Ingress, Marks,
    endings::Ending,
    profile::Profile,
    reply::{self, Answer, NakReason},
    request::{MessageType, Octets, Request},
};
use crate::live::LeaseState;

/// A message by what its sender wants (RFC 2131 §4.3.2, table 4), with the address it names.
#[derive(Clone, Copy, Debug)]
enum Intent {
    Discover,
    /// REQUEST that takes up our offer.
    Selecting(Ipv4Addr),
    /// REQUEST that takes up another server's offer.
    SelectingOther,
    /// REQUEST that verifies an address from before.
    InitReboot(Ipv4Addr),
    /// REQUEST sent to this server, to extend.
    Renewing(Ipv4Addr),
    /// REQUEST sent to all servers, to extend.
    Rebinding(Ipv4Addr),
    Decline(Ipv4Addr),
    Release(Ipv4Addr),
    Inform,
    Bootp,
}

/// What an address is to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Offered to it.
    Offered,
    /// Being committed for it.
    Committing,
    /// Leased to it.
    Bound,
    /// No longer leased, but still kept for it: deleted by the operator, or on the way to the pool.
    Kept,
    Revoked,
    /// Nobody's; it may have it.
    Free,
    /// Another client's, or out of service; or the client has another one.
    Unavailable,
    /// On its network, but not for this client: the configuration says so, or it is offered another.
    NotGrantable,
    /// Not on its network.
    OffNetwork,
}

/// Who asks, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub client: ClientKey,
    pub network: u32,
    /// Index of the subnet by which the network is known.
    pub subnet: usize,
    pub classes: Classes,
    pub marks: Marks,
    /// The address that is reserved for it there.
    pub reserved: Option<Ipv4Addr>,
}

impl Engine {
    pub(super) fn message(&mut self, ingress: &Ingress, payload: &[u8], cx: &mut Context<'_>) {
        let done = Request::decode(ingress, payload, &self.fingerprint_key)
            .and_then(|request| self.serve(request, cx));
        if let Err(silence) = done {
            self.count(silence);
        }
    }

    /// # Errors
    /// Why there is no answer.
    fn serve(&mut self, mut request: Request, cx: &mut Context<'_>) -> Result<(), Counter> {
        use Intent as I;
        use Standing as S;

        if request.relay.is_broken {
            self.count(Counter::BrokenRelayInfo);
        }
        if request.message_type == MessageType::LeaseQuery {
            return self.leasequery(&request, cx);
        }
        if !self.networks.honours_subnet_selection(&request) {
            request.subnet_selection = None;
        }
        let (network, subnet) = self.networks.of(&request)?;
        if !network.match_client_id && request.hardware.len == 0 {
            return Err(Counter::NoIdentity);
        }
        let client = request.client(network.id, network.match_client_id);
        if request.has_gone_past_the_relay() {
            request.former_port = self.port_of(&client);
        }
        let party = self.party(client, subnet, &request);
        let intent = self.intent(&request)?;
        if !matches!(intent, I::Discover | I::Inform) {
            self.cancel_probe(&party.client, cx);
        }
        let standing = match intent {
            I::Selecting(address)
            | I::InitReboot(address)
            | I::Renewing(address)
            | I::Rebinding(address)
            | I::Decline(address)
            | I::Release(address) => self.standing(&party, address),
            I::Discover | I::SelectingOther | I::Inform | I::Bootp => S::Free,
        };
        // What a client gives back is taken from anybody, and whose lease is revoked must hear of it: the
        // program tells it so whatever its class.
        let is_ending = matches!(intent, I::Decline(_) | I::Release(_)) || standing == S::Revoked;
        if self.networks.is_refused(party.classes) && !is_ending {
            return Err(Counter::ClassRefused);
        }

        match (intent, standing) {
            (I::Discover, _) => self.discover(&party, request, cx),

            (I::SelectingOther, _) => self.offer_declined(&party, cx),

            (
                I::Selecting(address)
                | I::InitReboot(address)
                | I::Renewing(address)
                | I::Rebinding(address),
                S::Bound,
            ) => self.renew(address, request, cx),
            (
                I::Selecting(address)
                | I::InitReboot(address)
                | I::Renewing(address)
                | I::Rebinding(address),
                S::Offered | S::Committing | S::Kept,
            ) => self.bind(address, request, cx),

            // An expired offer, or a lease that ended, with the address still free.
            (I::Selecting(address) | I::Renewing(address), S::Free) => {
                self.bind_free(&party, address, request, cx)
            }
            (I::InitReboot(address) | I::Rebinding(address), S::Free) if self.speaks_to(&party) => {
                self.bind_free(&party, address, request, cx)
            }

            (I::Selecting(_) | I::InitReboot(_) | I::Renewing(_) | I::Rebinding(_), S::Revoked) => {
                self.nak(NakReason::Revoked, &party, &request, cx)
            }
            (
                I::Selecting(_) | I::InitReboot(_) | I::Renewing(_) | I::Rebinding(_),
                S::Unavailable,
            )
            | (I::Selecting(_) | I::Renewing(_), S::NotGrantable) => {
                self.nak(NakReason::NotAvailable, &party, &request, cx)
            }
            (I::InitReboot(_) | I::Rebinding(_), S::NotGrantable) if self.speaks_to(&party) => {
                self.nak(NakReason::NotAvailable, &party, &request, cx)
            }
            (I::Selecting(_) | I::InitReboot(_) | I::Renewing(_), S::OffNetwork) => {
                self.nak(NakReason::WrongNetwork, &party, &request, cx)
            }
            (I::Rebinding(_), S::OffNetwork) if self.speaks_to(&party) => {
                self.nak(NakReason::WrongNetwork, &party, &request, cx)
            }
            // RFC 2131 §4.3.2: it "MUST remain silent", another server may know the client.
            (I::InitReboot(_) | I::Rebinding(_), S::Free | S::NotGrantable | S::OffNetwork) => {
                Err(Counter::UnknownClient)
            }

            (I::Decline(address), S::Offered | S::Committing | S::Bound | S::Kept) => {
                self.decline(&party, address, cx)
            }
            (I::Decline(_), _) => Err(self.ignored(&party, Counter::DeclineMismatch, cx)),

            (I::Release(address), S::Bound | S::Committing | S::Kept) => self.release(address, cx),
            (I::Release(_), _) => Err(self.ignored(&party, Counter::ReleaseMismatch, cx)),

            (I::Inform, _) => self.inform(&party, &request, cx),
            (I::Bootp, _) => self.bootp(&party, &request, cx),
        }
    }

    fn intent(&mut self, request: &Request) -> Result<Intent, Counter> {
        let ciaddr = Some(request.ciaddr).filter(|ciaddr| !ciaddr.is_unspecified());
        let is_ours = request.server_id.map(|id| {
            // The relay agent says that it stands for this server (RFC 5107 §4).
            self.networks.is_ours(id) || request.relay.server_id_override == Some(id)
        });
        match (request.message_type, is_ours, request.requested, ciaddr) {
            (MessageType::Discover, ..) => Ok(Intent::Discover),
            (MessageType::Request, Some(true), Some(requested), None) => {
                Ok(Intent::Selecting(requested))
            }
            // It may lack what a REQUEST to us must have; that the offer is not taken is clear.
            (MessageType::Request, Some(false), ..) => Ok(Intent::SelectingOther),
            (MessageType::Request, None, Some(requested), None) => {
                Ok(Intent::InitReboot(requested))
            }
            (MessageType::Request, None, None, Some(ciaddr)) if request.is_unicast() => {
                Ok(Intent::Renewing(ciaddr))
            }
            (MessageType::Request, None, None, Some(ciaddr)) => Ok(Intent::Rebinding(ciaddr)),
            (MessageType::Request, ..) => Err(Counter::OddRequest),
            // An address that nobody has: the mismatch is dealt with where the lease is known.
            (MessageType::Decline, Some(true), requested, _) => {
                Ok(Intent::Decline(requested.unwrap_or(Ipv4Addr::UNSPECIFIED)))
            }
            (MessageType::Decline, ..) => Ok(Intent::Decline(Ipv4Addr::UNSPECIFIED)),
            (MessageType::Release, Some(false), ..) => Ok(Intent::Release(Ipv4Addr::UNSPECIFIED)),
            (MessageType::Release, ..) => Ok(Intent::Release(request.ciaddr)),
            (MessageType::Inform, ..) => Ok(Intent::Inform),
            (MessageType::Bootp, ..) => Ok(Intent::Bootp),
            // No client's: it is about leases, and not to change one.
            (MessageType::LeaseQuery, ..) => Err(Counter::OddRequest),
        }
    }

    fn standing(&self, party: &Party, address: Ipv4Addr) -> Standing {
        let Some(network) = self.networks.get(party.network) else {
            return Standing::OffNetwork;
        };
        if network.subnet_of(address).is_none() {
            return Standing::OffNetwork;
        }
        let may_have = network.may_have(party.reserved, party.classes, address)
            && !self.has_better(party, address);
        match self.held(address) {
            Some(held) if held.client != party.client => Standing::Unavailable,
            Some(held) => match held.state {
                LeaseState::Revoked => Standing::Revoked,
                LeaseState::Quarantined => Standing::Unavailable,
                LeaseState::Withdrawn if self.is_removed(address) => Standing::Unavailable,
                _ if !may_have => Standing::Unavailable,
                // Whoever sends what is looked at here has ended the probe.
                LeaseState::Probing => Standing::NotGrantable,
                LeaseState::Offered => Standing::Offered,
                LeaseState::Committing => Standing::Committing,
                LeaseState::Bound => Standing::Bound,
                LeaseState::Forgotten | LeaseState::Withdrawn => Standing::Kept,
            },
            None if !may_have => Standing::NotGrantable,
            None if self.has_lease(&party.client) => Standing::Unavailable,
            None if self.current(&party.client).is_some() => Standing::NotGrantable,
            None => Standing::Free,
        }
    }

    fn party(&self, client: ClientKey, subnet: usize, request: &Request) -> Party {
        let classes = self.networks.classes();
        let whence = request.whence();
        let network = client.network();
        Party {
            client,
            network,
            subnet,
            classes: classes.of(&request.shape, whence),
            marks: classes.marks(whence),
            reserved: self.networks.get(network).and_then(|network| {
                network.reservation(&client, &request.hardware, request.port())
            }),
        }
    }

    /// Whom an address is held for.
    pub(super) fn party_of(&self, address: Ipv4Addr, held: &Held, request: &Request) -> Party {
        let network = self.networks.get(held.client.network());
        let index = network.and_then(|network| network.index_of(address));
        self.party(held.client, index.unwrap_or(0), request)
    }

    /// Option 82 that the client's lease was given with.
    fn port_of(&self, client: &ClientKey) -> Option<Octets> {
        let lease = self.live.get(&self.clients.get(client)?)?;
        let is_its = lease.holder.client() == *client;
        let relay_info = lease.holder.relay_info().filter(|_| is_its);
        relay_info.map(Octets::from_slice)
    }

    /// Whether to speak of an address that this client may have from another server.
    fn speaks_to(&self, party: &Party) -> bool {
        self.is_authoritative(party) || self.knows(&party.client)
    }

    /// Whether clients unknown on this subnet are told so.
    fn is_authoritative(&self, party: &Party) -> bool {
        self.networks
            .get(party.network)
            .and_then(|network| network.subnet(party.subnet))
            .is_some_and(|subnet| subnet.authoritative)
    }

    /// Whether there is a record of the client: a lease, or one that it had. An offer is none, its client
    /// may have chosen another server.
    fn knows(&self, client: &ClientKey) -> bool {
        self.has_lease(client)
            || self
                .clients
                .get(client)
                .is_some_and(|address| self.clients.is_former(client, address))
    }

    /// Whether the client has an address that is more than offered to it.
    fn has_lease(&self, client: &ClientKey) -> bool {
        self.current(client)
            .is_some_and(|(_, held)| !held.state.is_offer() && held.state != LeaseState::Committing)
    }

    /// Whether the address is on its way to the pool because the client is not to have it again.
    fn is_removed(&self, address: Ipv4Addr) -> bool {
        self.work
            .get(&address)
            .is_some_and(|work| work.ending == Ending::Removed)
    }

    /// Whether another address is reserved for the client, and it can have it now.
    fn has_better(&self, party: &Party, address: Ipv4Addr) -> bool {
        party.reserved.is_some_and(|reserved| {
            reserved != address
                && self.held(reserved).is_none_or(|held| {
                    held.client == party.client && held.state != LeaseState::Quarantined
                })
        })
    }

    /// The kernel answers nothing more from an entry once it has seen a RELEASE or DECLINE of its
    /// client; if the lease goes on the entry is opened again.
    fn ignored(&mut self, party: &Party, why: Counter, cx: &mut Context<'_>) -> Counter {
        tracing::debug!(client = ?party.client, reason = why.label(), "ignored");
        if let Some((address, held)) = self.current(&party.client)
            && self.is_closed(&held, cx)
        {
            self.withdraw(address, cx);
        }
        why
    }

    fn inform(
        &mut self,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        if request.ciaddr.is_unspecified() && request.ingress.source.is_unspecified() {
            return Err(Counter::InformNowhere);
        }
        self.send(Answer::Inform, party, request, cx)?;
        self.count(Counter::Informed);
        Ok(())
    }

    pub(super) fn nak(
        &mut self,
        reason: NakReason,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        self.send(Answer::Nak(reason), party, request, cx)?;
        self.count(Counter::Naked);
        Ok(())
    }

    /// ACK, and what the kernel needs to answer the like of it.
    pub(super) fn ack(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        self.send(Answer::Ack(address), party, request, cx)?;
        self.count(Counter::Acked);
        self.publish_templates(address, party, request, cx);
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        answer: Answer,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let network = self
            .networks
            .get(party.network)
            .ok_or(Counter::UnknownNetwork)?;
        // One that keeps its address may have been moved to another subnet of its link.
        let address = answer.about(request);
        let index = network.index_of(address).unwrap_or(party.subnet);
        let profile = network
            .profile(party.reserved, index, address)
            .ok_or(Counter::UnknownNetwork)?;
        self.send_from(&Arc::clone(profile), answer, party, request, cx)
    }

    pub(super) fn send_from(
        &mut self,
        profile: &Profile,
        answer: Answer,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let terms = self.networks.terms(profile, party.classes, &request.shape);
        let buffer = self.spare.pop().unwrap_or_default();
        let reply = reply::encode(answer, &terms, request, buffer)?;
        if reply.relay_info_left_out {
            self.count(Counter::RelayInfoLeftOut);
        }
        cx.out.push(super::Effect::Send {
            egress: reply.egress,
            payload: reply.payload,
        });
        Ok(())
    }
}
