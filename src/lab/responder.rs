//! From an enveloped request to an enveloped answer.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::rules::{Grant, Rules};
use crate::catalog::Application;
use crate::client::identity::ClientId;
use crate::crypto::envelope::{self, SealV5, SealV6, Sealing};
use crate::crypto::mac;
use crate::proto::sealing;
use crate::wire::kms::{
    ActivationRequest, ActivationResponse, Envelope, EpidText, SEALED_REQUEST_LEN, V4_REQUEST_LEN, pkcs7_padding,
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
#[derive(Debug)]
pub struct LabHost {
    identity: HostIdentity,
    rules: Rules,
    random: ChaCha8Rng,
}

impl LabHost {
    /// A host that has seen no client. Its randoms follow from `seed`.
    pub fn new(identity: HostIdentity, seed: u64) -> LabHost {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Clients draw from the same seed, from stream 0 up: a host that drew what they drew would
        // answer with the IV it was asked with.
        random.set_stream(u64::MAX);
        LabHost { identity, rules: Rules::default(), random }
    }

    /// Forgets every client.
    pub fn forget_clients(&mut self) {
        self.rules = Rules::default();
    }

    /// Counts a synthetic client as if it had asked.
    pub fn count(&mut self, application: Application, id: ClientId, n_policy: u32, now: FileTime) -> u32 {
        self.rules.count(application.guid(), id.guid(), n_policy, now)
    }

    /// Answers an enveloped request when the host's clock shows `now`: with an enveloped response,
    /// or with a code. Says what the request was, when it could be read.
    pub fn respond(&mut self, payload: &[u8], now: FileTime) -> (Option<ActivationRequest>, Result<Vec<u8>, Hresult>) {
        let opened = match open_request(payload) {
            Ok(opened) => opened,
            Err(code) => return (None, Err(code)),
        };
        let answer = self.rules.decide(&opened.request, now).map(|grant| self.seal(&opened, grant));
        (Some(opened.request), answer)
    }

    fn seal(&mut self, opened: &OpenedRequest, grant: Grant) -> Vec<u8> {
        let request = &opened.request;
        let body = ActivationResponse {
            version: request.version,
            epid: self.identity.epid.clone(),
            cmid: request.cmid,
            client_time: request.client_time,
            count: grant.count,
            activation_interval_min: self.identity.activation_interval_min,
            renewal_interval_min: self.identity.renewal_interval_min,
        }
        .encode();
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

/// Opens a request as a strict host does: whatever is not exactly right is malformed data.
fn open_request(payload: &[u8]) -> Result<OpenedRequest, Hresult> {
    let malformed = |_| Hresult::INVALID_DATA;
    match Envelope::decode(payload).map_err(malformed)? {
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
