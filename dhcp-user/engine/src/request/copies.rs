//! Copies of one client's message that wait for the same result.

use dhcp_model::Nanos;
use smallvec::SmallVec;

use super::Request;

/// The most relay agents whose copies wait. Of more, the last one takes the place of the latest.
const MAX_RELAYS: usize = 4;

/// The last copy of a message that came each way, and when it came.
///
/// The relay agents of a redundant pair each pass on what a client broadcasts, and each of them
/// gets the answer: the client may hear only one of the two.
#[derive(Debug)]
pub struct Copies(SmallVec<[(Box<Request>, Nanos); 1]>);

impl Copies {
    pub fn new(request: Request, received: Nanos) -> Self {
        Self([(Box::new(request), received)].into_iter().collect())
    }

    /// Adds a message. It replaces an earlier one that came through the same relay agent, or as
    /// directly.
    pub fn add(&mut self, request: Request, received: Nanos) {
        let is_full = self.0.len() >= MAX_RELAYS;
        let mut copies = self.0.iter_mut();
        let same = copies.find(|(copy, _)| copy.giaddr == request.giaddr);
        match same {
            Some(copy) => {
                *copy.0 = request;
                copy.1 = received;
            }
            None if is_full => {
                if let Some(last) = self.0.last_mut() {
                    *last = (Box::new(request), received);
                }
            }
            None => self.0.push((Box::new(request), received)),
        }
    }

    /// Returns the message that came first, or what has replaced it.
    pub fn first(&self) -> Option<&Request> {
        self.0.first().map(|(request, _)| &**request)
    }
}

impl IntoIterator for Copies {
    type Item = (Box<Request>, Nanos);
    type IntoIter = smallvec::IntoIter<[(Box<Request>, Nanos); 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
