//! From an enveloped request to an enveloped answer.

use std::collections::HashMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::conduct::Conduct;
use super::door::{Door, Manner};
use super::fault::Faults;
use super::rules::{Arrival, Caller, Grant, Rules};
use super::tamper::{Kept, Tamper};
use crate::catalog::Application;
use crate::client::identity::ClientId;
use crate::crypto::envelope::{self, SealV5, SealV6, Sealing};
use crate::crypto::mac;
use crate::proto::sealing;
use crate::wire::kms::{
    ActivationRequest, ActivationResponse, Envelope, EpidText, ProtocolVersion, SEALED_REQUEST_LEN, V4_REQUEST_LEN,
    pkcs7_padding,
};
use crate::wire::{FileTime, Hresult, Layer, Reader};

/// Who the host says it is.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    /// Its extended product id: of the right form, and of no real host.
    pub epid: EpidText,
    /// Its hardware id.
    pub hwid: [u8; 8],
    /// Minutes until a refused client tries again.
    pub activation_interval_min: u32,
    /// Minutes until an activated client renews.
    pub renewal_interval_min: u32,
}

impl Default for HostIdentity {
    fn default() -> HostIdentity {
        HostIdentity {
            // Group and key id zero: no key of Microsoft's has them.
            epid: EpidText::new("03612-00000-000-000000-03-1033-20348.0000-0012026")
                .expect("it is shorter than the field"),
            hwid: *b"kmsproof",
            activation_interval_min: 120,
            renewal_interval_min: 10_080,
        }
    }
}

/// The embedded host, without its sockets and its clock.
///
/// It is honest unless it was given [`Faults`]. Whoever carries its bytes asks it
/// whether a connection is let in ([`LabHost::admits`]), what it answers
/// ([`LabHost::respond`]) and how the answer is carried ([`LabHost::manner`]), and
/// tells it when it was down ([`LabHost::was_down`]): with sockets and in memory alike.
#[derive(Debug)]
pub struct LabHost {
    identity: HostIdentity,
    rules: Rules,
    door: Door,
    random: ChaCha8Rng,
    faults: Faults,
    tamper: Tamper,
    seed: u64,
    connections: u64,
    /// Association groups, each with how many connections are in it.
    groups: HashMap<u32, usize>,
    is_dead: bool,
}

impl LabHost {
    /// A host that has seen no client. Its randoms follow from `seed`.
    pub fn new(identity: HostIdentity, seed: u64) -> LabHost {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Clients draw from the same seed, from stream 0 up: a host that drew what they drew would
        // answer with the IV it was asked with.
        random.set_stream(u64::MAX);
        let (rules, door, faults) = (Rules::default(), Door::default(), Faults::default());
        LabHost {
            identity,
            rules,
            door,
            random,
            faults,
            tamper: Tamper::default(),
            seed,
            connections: 0,
            groups: HashMap::new(),
            is_dead: false,
        }
    }

    /// A host with these faults, and no others. Their chances follow from its seed.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> LabHost {
        let (mut conduct, mut door, mut tamper) = (Conduct::default(), Door::default(), Tamper::default());
        faults.install(&mut conduct, &mut door, &mut tamper, self.seed);
        LabHost { rules: Rules::of(conduct), door, tamper, faults, ..self }
    }

    /// Its faults; an honest host has none.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Forgets every client. Its faults go on: the next of a thousand is the next, whoever it is.
    pub fn forget_clients(&mut self) {
        self.rules.forget_clients();
    }

    /// The host was down and is back: an honest one has forgotten nobody.
    pub fn was_down(&mut self) {
        if self.rules.conduct().forgets_when_down {
            self.rules.forget_clients();
        }
    }

    /// Counts a synthetic client as if it had asked.
    pub fn count(&mut self, application: Application, id: ClientId, n_policy: u32, now: FileTime) -> u32 {
        let (application, cmid) = (application.guid(), id.guid());
        let caller = Caller { application, cmid, n_policy, name: None, arrival: Arrival::default(), request: None };
        self.rules.count(&caller, now)
    }

    /// Whoever asks next does so like this.
    pub(super) fn set_arrival(&mut self, arrival: Arrival) {
        self.rules.arrival = arrival;
    }

    /// Whether it lets one more connection in while `open` are.
    pub fn admits(&self, open: usize) -> bool {
        !self.is_dead && self.door.admits(open)
    }

    /// How long a connection may say nothing.
    pub fn idle_max(&self) -> Duration {
        self.tamper.idle_max
    }

    pub(super) fn tamper(&mut self) -> &mut Tamper {
        &mut self.tamper
    }

    /// What it holds on to that it has no use for any more.
    pub(crate) fn kept(&self) -> &Kept {
        self.tamper.kept()
    }

    /// It serves nobody any more, as a process that has crashed.
    pub(super) fn die(&mut self) {
        self.is_dead = true;
    }

    /// The number of a connection, from 0.
    pub(super) fn next_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections - 1
    }

    pub(super) fn has_group(&self, group: u32) -> bool {
        self.groups.contains_key(&group)
    }

    pub(super) fn join_group(&mut self, group: u32) {
        *self.groups.entry(group).or_default() += 1;
    }

    pub(super) fn leave_group(&mut self, group: u32) {
        if let Some(members) = self.groups.get_mut(&group) {
            *members -= 1;
            if *members == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// The least time between two answers, if there is one.
    pub fn spacing(&self) -> Option<std::time::Duration> {
        self.door.spacing()
    }

    /// How the answer just given is carried to its client.
    pub fn manner(&mut self) -> Manner {
        self.door.manner()
    }

    /// Answers an enveloped request when the host's clock shows `now`: with an enveloped response,
    /// or with a code. Says what the request was, when it could be read.
    pub fn respond(&mut self, payload: &[u8], now: FileTime) -> (Option<ActivationRequest>, Result<Vec<u8>, Hresult>) {
        let heard = self.rules.conduct().heard(payload);
        let payload = heard.as_deref().unwrap_or(payload);
        let opened = match open_request(payload, self.rules.conduct().opens_any_version) {
            Ok(opened) => opened,
            Err(code) => return (None, Err(code)),
        };
        let answer = self.rules.decide(&opened.request, now).map(|grant| self.seal(&opened, grant));
        (Some(opened.request), answer)
    }

    fn seal(&mut self, opened: &OpenedRequest, grant: Grant) -> Vec<u8> {
        let request = &opened.request;
        let mut response = ActivationResponse {
            version: request.version,
            epid: self.identity.epid.clone(),
            cmid: request.cmid,
            client_time: request.client_time,
            count: grant.count,
            activation_interval_min: self.identity.activation_interval_min,
            renewal_interval_min: self.identity.renewal_interval_min,
        };
        self.rules.conduct().written(&mut response);
        let mut body = response.encode();
        self.rules.conduct().encoded(request, &mut body);
        let mut out = Vec::with_capacity(body.len() + 128);
        match opened.sealed {
            None => envelope::seal_response_v4(&body, &mut out),
            Some((Sealing::V5, request_iv)) => {
                let with = SealV5 { request_iv, random: self.fresh() };
                envelope::seal_response_v5(&body, &with, &mut out);
            }
            Some((Sealing::V6, request_iv)) => {
                let with = SealV6 {
                    request_iv,
                    iv: self.fresh(),
                    random: self.fresh(),
                    hwid: self.identity.hwid,
                    client_time: request.client_time.0,
                };
                envelope::seal_response_v6(&body, &with, &mut out);
            }
        }
        self.rules.conduct().sealed(request, opened.sealed.map(|(_, iv)| iv), &mut out);
        out
    }

    fn fresh(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill_bytes(&mut bytes);
        bytes
    }
}

struct OpenedRequest {
    request: ActivationRequest,
    sealed: Option<(Sealing, [u8; 16])>,
}

/// Opens a request as a strict host does: whatever is not exactly right is malformed data. With
/// `any_version`, a version that does not exist is none of that.
fn open_request(payload: &[u8], any_version: bool) -> Result<OpenedRequest, Hresult> {
    let malformed = |_| Hresult::INVALID_DATA;
    let envelope = match Envelope::decode(payload) {
        Err(_) if any_version => nearest_envelope(payload).ok_or(Hresult::INVALID_DATA)?,
        envelope => envelope.map_err(malformed)?,
    };
    match envelope {
        Envelope::Mac { body, mac } => {
            if payload.len() != V4_REQUEST_LEN || mac != mac::v4(body) {
                return Err(Hresult::INVALID_DATA);
            }
            Ok(OpenedRequest { request: ActivationRequest::decode(body).map_err(malformed)?, sealed: None })
        }
        Envelope::Sealed { version, iv, ciphertext } => {
            if payload.len() != SEALED_REQUEST_LEN {
                return Err(Hresult::INVALID_DATA);
            }
            let sealing = sealing(version);
            let mut plaintext = Vec::with_capacity(ciphertext.len());
            envelope::open(sealing, &iv, ciphertext, &mut plaintext).map_err(|_| Hresult::INVALID_DATA)?;
            let mut r = Reader::new(Layer::KmsRequest, &plaintext);
            let request = ActivationRequest::read(&mut r).map_err(malformed)?;
            pkcs7_padding(&mut r).map_err(malformed)?;
            if request.version != version {
                return Err(Hresult::INVALID_DATA);
            }
            Ok(OpenedRequest { request, sealed: Some((sealing, iv)) })
        }
    }
}

/// The envelope of a version that does not exist, read like that of the nearest which does: as
/// [`crate::proto::Ask`] seals it.
fn nearest_envelope(payload: &[u8]) -> Option<Envelope<'_>> {
    let (&[minor_low, minor_high, major_low, major_high], sealed) = payload.split_first_chunk()?;
    let version = ProtocolVersion {
        major: u16::from_le_bytes([major_low, major_high]),
        minor: u16::from_le_bytes([minor_low, minor_high]),
    };
    if version.major <= ProtocolVersion::V4.major {
        let (body, &mac) = payload.split_last_chunk()?;
        return Some(Envelope::Mac { body, mac });
    }
    let (&iv, ciphertext) = sealed.split_first_chunk()?;
    Some(Envelope::Sealed { version, iv, ciphertext })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::kms::Epid;

    #[test]
    fn the_identity_is_well_formed() {
        let epid: Epid = HostIdentity::default().epid.as_str().parse().unwrap();
        assert_eq!((epid.channel, epid.group, epid.key_high, epid.key_low), (3, 0, 0, 0));
    }

    #[test]
    fn a_host_of_the_clients_own_seed_draws_other_randoms() {
        let mut host = LabHost::new(HostIdentity::default(), 1);
        assert_ne!(host.fresh(), crate::client::Randomness::new(1).next_iv());
    }

    #[test]
    fn what_is_not_exactly_a_request_is_malformed_data() {
        let mut host = LabHost::new(HostIdentity::default(), 1);
        for payload in [&[][..], &[0, 0, 7, 0], &[0; 252], &[0; 260], b"GET / HTTP/1.1\r\n"] {
            assert_eq!(host.respond(payload, FileTime(0)), (None, Err(Hresult::INVALID_DATA)));
        }
    }
}
