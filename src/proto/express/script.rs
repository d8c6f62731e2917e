//! How connections to a host are opened, learned from one that was found right.

use std::time::Duration;

use crate::proto::association::FIRST_CALL_ID;
use crate::proto::verify::CheckSet;
use crate::proto::{Association, AssociationConfig, AssociationEvent, Moment, Negotiated};
use crate::wire::rpc::{PduView, TransferSyntax};

/// The opening of a connection: what is sent, what must come, and the association that follows.
#[derive(Debug)]
pub struct Script {
    config: AssociationConfig,
    bind: Vec<u8>,
    ack: Vec<u8>,
    /// An alter_context and its answer, where the host needs one.
    alter: Option<(Vec<u8>, Vec<u8>)>,
    /// Ready for its first call.
    ready: Association,
    checks: CheckSet,
}

impl Script {
    /// Learns from what a host said to a connection that was opened with `config`. `None` when it
    /// is not all there, or a check failed on it.
    pub fn learn(config: AssociationConfig, heard: &[u8]) -> Option<Script> {
        let config = AssociationConfig { record: false, ..config };
        let mut ready = Association::new(config);
        ready.begin(Moment::default());
        let bind = ready.poll_transmit()?;
        let (ack, rest) = split_pdu(heard)?;
        ready.handle_bytes(Moment::default(), ack);
        let alter = match ready.poll_transmit() {
            Some(alter) => {
                let (response, rest) = split_pdu(rest)?;
                ready.handle_bytes(Moment::default(), response);
                rest.is_empty().then(|| Some((alter, response.to_vec())))?
            }
            None => rest.is_empty().then_some(None)?,
        };
        match ready.poll_event() {
            Some(AssociationEvent::Bound(negotiated)) if negotiated.checks.failed.is_empty() => {
                let checks = negotiated.checks.done;
                let is_ready = ready.is_quiet() && ready.poll_event().is_none();
                is_ready.then(|| Script { config, bind, ack: ack.to_vec(), alter, ready, checks })
            }
            _ => None,
        }
    }

    /// The bind.
    pub fn bind(&self) -> &[u8] {
        &self.bind
    }

    /// The alter_context that follows, where one does.
    pub fn alter(&self) -> Option<&[u8]> {
        self.alter.as_ref().map(|(alter, _)| alter.as_slice())
    }

    /// The association group an answer to the bind names, when it is the known one otherwise.
    pub fn group_of(&self, ack: &[u8]) -> Option<u32> {
        let group = group(ack)?;
        (group != 0 && is_same_but_for_group(ack, &self.ack)).then_some(group)
    }

    /// Whether an answer to the alter_context is the known one, and of this group.
    pub fn fits_alter(&self, response: &[u8], of: u32) -> bool {
        let known = self.alter.as_ref().map(|(_, known)| known.as_slice());
        group(response) == Some(of) && known.is_some_and(|known| is_same_but_for_group(response, known))
    }

    /// Whether this is all a host says to open a connection, and of which group.
    pub fn fits(&self, heard: &[u8]) -> Option<u32> {
        let (ack, response) = heard.split_at_checked(self.ack.len())?;
        let group = self.group_of(ack)?;
        let fits = if self.alter.is_some() { self.fits_alter(response, group) } else { response.is_empty() };
        fits.then_some(group)
    }

    /// The call id, context and syntax of the call after so many others.
    pub fn call(&self, calls: u32) -> Option<(u32, u16, TransferSyntax)> {
        let (context_id, syntax) = self.ready.context_of(calls)?;
        Some((FIRST_CALL_ID.wrapping_add(calls), context_id, syntax))
    }

    /// The checks that such an opening has passed.
    pub fn checks(&self) -> CheckSet {
        self.checks
    }

    /// What such an opening comes to.
    pub fn negotiated(&self, group: u32, bind_time: Duration, alter_time: Duration) -> Negotiated {
        let alter_time = self.alter.as_ref().map(|_| alter_time);
        Negotiated { assoc_group: group, bind_time, alter_time, ..self.ready.negotiated().clone() }
    }

    /// An association whose bind went out at `bound`, and which has heard this.
    pub fn resume_opening(&self, bound: Moment, heard: &[u8], now: Moment) -> Association {
        let mut association = Association::new(self.config);
        association.begin(bound);
        let _ = association.poll_transmit();
        association.handle_bytes(now, heard);
        association
    }

    /// An association of this group whose alter_context went out at `sent`, and which has heard this since.
    pub fn resume_altering(&self, sent: Moment, group: u32, heard: &[u8], now: Moment) -> Association {
        let mut ack = self.ack.clone();
        ack[GROUP].copy_from_slice(&group.to_le_bytes());
        let mut association = self.resume_opening(sent, &ack, sent);
        let _ = association.poll_transmit();
        association.handle_bytes(now, heard);
        association
    }

    /// An association that is ready after so many calls.
    pub fn resume_ready(&self, group: u32, calls: u32) -> Association {
        let mut association = self.ready.clone();
        association.set_group(group);
        association.skip_calls(calls);
        association
    }

    /// An association whose call, after so many others, went out at `sent` with this in it.
    pub fn resume_call(&self, group: u32, calls: u32, sent: Moment, payload: &[u8]) -> Association {
        let mut association = self.resume_ready(group, calls);
        // It is ready: it was left like that.
        let called = association.call(sent, payload);
        debug_assert!(called.is_ok());
        let _ = association.poll_transmit();
        association
    }
}

/// The first PDU of some bytes, and what follows it.
fn split_pdu(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::from(PduView(bytes).frag_length()?))
}

fn group(ack: &[u8]) -> Option<u32> {
    ack.get(GROUP).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
}

fn is_same_but_for_group(ack: &[u8], known: &[u8]) -> bool {
    ack.len() == known.len() && ack[..GROUP.start] == known[..GROUP.start] && ack[GROUP.end..] == known[GROUP.end..]
}

/// The association group in a bind_ack and an alter_context_resp (protocol description, section 1.3).
const GROUP: std::ops::Range<usize> = 20..24;
