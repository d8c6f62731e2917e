//! Checks of an activation response, envelope and body.

use super::{CheckId, Checks, Place};
use crate::crypto::{self, Sealing};
use crate::proto::{Answer, sealing};
use crate::wire::kms::{
    ActivationRequest, ActivationResponse, Envelope, Epid, PKCS7_MAX, Proof, ProtocolVersion, pkcs7_padding,
};
use crate::wire::{FileTime, Layer, Reader, hex};

/// Opens an envelope as far as that goes without the request it answers, and judges nothing.
pub fn open_unjudged(answer: &mut Answer, payload: &[u8]) {
    match Envelope::decode(payload) {
        Err(_) => {}
        Ok(Envelope::Mac { body, .. }) => answer.response = ActivationResponse::decode(body).ok(),
        Ok(Envelope::Sealed { version, iv, ciphertext }) => {
            answer.iv = Some(iv);
            // The envelope is whole blocks, or it would not be one.
            if crypto::envelope::open(sealing(version), &iv, ciphertext, &mut answer.plaintext).is_ok() {
                let mut r = Reader::new(Layer::KmsResponse, &answer.plaintext);
                answer.response = ActivationResponse::read(&mut r).ok();
                let proof = answer.response.as_ref().and_then(|_| Proof::read(&mut r, version).ok());
                answer.hwid = proof.and_then(|proof| proof.v6).map(|v6| v6.hwid);
            }
        }
    }
}

/// Opens the envelope of an answer to `request`, sent with `request_iv`, checks all of it and
/// puts what was in it into `answer`.
/// `base` is where the payload begins in its PDU; `now` dates the ePID.
pub fn check_response(
    answer: &mut Answer,
    payload: &[u8],
    base: usize,
    request: &ActivationRequest,
    request_iv: &[u8; 16],
    now: FileTime,
) {
    let checks = &mut answer.checks;
    let envelope = match Envelope::read(&mut Reader::new(Layer::Envelope, payload).at(base)) {
        Ok(envelope) => envelope,
        Err(error) => {
            checks.fail_decode(CheckId::Envelope, &error);
            return;
        }
    };
    checks.judge(CheckId::Envelope, true, Default::default);
    let outer = envelope.version();
    let place = Place { layer: Layer::Envelope, field: "version", offset: base };
    let echoed = outer == request.version;
    checks.judge_at(CheckId::Version, echoed, Some(place), || (request.version.to_string(), outer.to_string()));
    match envelope {
        Envelope::Mac { body, mac } => {
            let right = crypto::mac::v4(body);
            let place = Place { layer: Layer::Envelope, field: "mac", offset: base + body.len() };
            checks.judge_at(CheckId::V4Mac, mac == right, Some(place), || (hex(&right), hex(&mac)));
            let mut r = Reader::new(Layer::KmsResponse, body).at(base);
            answer.response = check_body(checks, &mut r, request, now);
            if answer.response.is_some() {
                check_length(checks, r.remaining(), r.offset());
            }
        }
        Envelope::Sealed { version, iv, ciphertext } => {
            let sealing = sealing(version);
            answer.iv = Some(iv);
            let mut plaintext = Vec::with_capacity(ciphertext.len());
            let Ok(iv_decrypted) = crypto::envelope::open(sealing, &iv, ciphertext, &mut plaintext) else {
                return;
            };
            check_iv(checks, sealing, &iv, request_iv, base);
            let mut r = Reader::new(Layer::KmsResponse, &plaintext);
            answer.response = check_body(checks, &mut r, request, now);
            if answer.response.is_some() {
                let inside = Inside { sealing, version, iv_decrypted, request, request_iv };
                check_proof(answer, &mut r, &plaintext, &inside);
            }
            answer.plaintext = plaintext;
        }
    }
}

/// Checks every field of a body that can be judged by itself or against its request.
fn check_body(
    checks: &mut Checks,
    r: &mut Reader<'_>,
    request: &ActivationRequest,
    now: FileTime,
) -> Option<ActivationResponse> {
    let base = r.offset();
    let response = match ActivationResponse::read(r) {
        Ok(response) => response,
        Err(error) => {
            let check = if error.field.starts_with("epid") { CheckId::EpidLength } else { CheckId::Body };
            checks.fail_decode(check, &error);
            return None;
        }
    };
    checks.judge(CheckId::Body, true, Default::default);
    checks.judge(CheckId::EpidLength, true, Default::default);
    let at = |field, offset| Some(Place { layer: Layer::KmsResponse, field, offset: base + offset });
    let fixed = 8 + response.epid.wire_size();
    let inner = response.version;
    checks.judge_at(CheckId::Version, inner == request.version, at("minor version", 0), || {
        (format!("{} inside", request.version), inner.to_string())
    });
    check_epid_form(checks, &response, now, at("epid", 8));
    checks.judge_at(CheckId::Cmid, response.cmid == request.cmid, at("cmid", fixed), || {
        (request.cmid.to_string(), response.cmid.to_string())
    });
    let (asked, got) = (request.client_time, response.client_time);
    checks.judge_at(CheckId::ClientTime, asked == got, at("client_time", fixed + 16), || {
        (format!("{} ({asked})", asked.0), format!("{} ({got})", got.0))
    });
    let most = request.n_policy.saturating_mul(2).max(COUNT_MAX);
    checks.judge_at(CheckId::Count, (1..=most).contains(&response.count), at("count", fixed + 24), || {
        (format!("1 to {most}"), response.count.to_string())
    });
    let (retry, renewal) = (response.activation_interval_min, response.renewal_interval_min);
    let plausible = INTERVAL_MIN.contains(&retry) && INTERVAL_MIN.contains(&renewal) && retry <= renewal;
    checks.judge_at(CheckId::Intervals, plausible, at("activation_interval", fixed + 28), || {
        ("15 to 43200 minutes, the renewal not sooner than the retry".into(), format!("{retry} and {renewal}"))
    });
    Some(response)
}

fn check_epid_form(checks: &mut Checks, response: &ActivationResponse, now: FileTime, place: Option<Place>) {
    let parsed = response.epid.as_str().parse::<Epid>();
    let this_year = rough_year(now);
    // A host east of us may already be in the next year.
    let future = |epid: &Epid| u64::from(epid.year) > this_year + 1;
    match parsed {
        Ok(epid) if future(&epid) => checks.judge_at(CheckId::EpidForm, false, place, || {
            ("a year that is not in the future".into(), response.epid.to_string())
        }),
        Ok(_) => checks.judge(CheckId::EpidForm, true, Default::default),
        Err(error) => checks.judge_at(CheckId::EpidForm, false, place, || {
            ("PPPPP-GGGGG-KKK-KKKKKK-03-LCID-BUILD.0000-DDDYYYY".into(), error.to_string())
        }),
    }
}

/// The year of a time, at most a day off around its turn: a host's clock may be that far off as well.
fn rough_year(at: FileTime) -> u64 {
    1601 + at.0 / (FileTime::STEPS_PER_SECOND * SECONDS_PER_YEAR)
}

fn check_iv(checks: &mut Checks, sealing: Sealing, iv: &[u8; 16], request_iv: &[u8; 16], base: usize) {
    let same = iv == request_iv;
    let place = Some(Place { layer: Layer::Envelope, field: "iv", offset: base + 4 });
    match sealing {
        Sealing::V5 => checks.judge_at(CheckId::V5Iv, same, place, || (hex(request_iv), hex(iv))),
        Sealing::V6 => {
            checks.judge_at(CheckId::V6Iv, !same, place, || (format!("not {}", hex(request_iv)), hex(iv)));
        }
    }
}

struct Inside<'a> {
    sealing: Sealing,
    version: ProtocolVersion,
    iv_decrypted: [u8; 16],
    request: &'a ActivationRequest,
    request_iv: &'a [u8; 16],
}

/// Checks what follows the body inside the ciphertext.
fn check_proof(answer: &mut Answer, r: &mut Reader<'_>, plaintext: &[u8], inside: &Inside<'_>) {
    let checks = &mut answer.checks;
    let proof_at = r.offset();
    let proof = match Proof::read(r, inside.version) {
        Ok(proof) => proof,
        Err(error) => {
            checks.fail_decode(CheckId::Body, &error);
            return;
        }
    };
    let at = |field, offset| Some(Place { layer: Layer::Proof, field, offset: proof_at + offset });
    let salt = inside.sealing.decrypt_iv(inside.request_iv);
    let random = crypto::proof::salted_random(&proof.random_xor_salt, &salt);
    answer.random = Some(random);
    let right = crypto::proof::sha256(&random);
    checks.judge_at(CheckId::RandomHash, proof.random_hash == right, at("hash of random", 16), || {
        (hex(&right), hex(&proof.random_hash))
    });
    if let Some(v6) = proof.v6 {
        answer.hwid = Some(v6.hwid);
        checks.judge_at(CheckId::V6XoredIvs, v6.xored_ivs == salt, at("xored ivs", 56), || {
            (hex(&salt), hex(&v6.xored_ivs))
        });
        let hmac_at = proof_at + 72;
        let slots = crypto::proof::accepted_slots(inside.request.client_time.0);
        let hmac = |slot| crypto::proof::hmac(slot, &inside.iv_decrypted, &plaintext[..hmac_at]);
        // An honest answer is right for the first: the others are worked out only when it is not.
        answer.hmac_slot = slots.iter().position(|&slot| hmac(slot) == v6.hmac).map(|slot| [0, -1, 1][slot]);
        checks.judge_at(CheckId::V6Hmac, answer.hmac_slot.is_some(), at("hmac", 72), || {
            (format!("{} (or that of a tolerated slot)", hex(&hmac(slots[0]))), hex(&v6.hmac))
        });
    }
    let end = r.offset();
    let padding = pkcs7_padding(r);
    match &padding {
        Ok(_) => checks.judge(CheckId::Padding, true, Default::default),
        Err(error) => checks.fail_decode(CheckId::Padding, error),
    }
    let due = PKCS7_MAX - end % PKCS7_MAX;
    let left = plaintext.len() - end;
    check_length(checks, left.saturating_sub(due), end + due);
}

fn check_length(checks: &mut Checks, surplus: usize, offset: usize) {
    let place = Place { layer: Layer::KmsResponse, field: "trailing bytes", offset };
    checks.judge_at(CheckId::Length, surplus == 0, Some(place), || {
        ("the length that follows from the ePID size".into(), format!("{surplus} bytes more"))
    });
}

/// Twice the largest N policy that a host grants: a table never shrinks, whatever is asked for later.
const COUNT_MAX: u32 = 2000;

/// A Gregorian year on the average.
const SECONDS_PER_YEAR: u64 = 31_556_952;

/// What `slmgr /sai` and `/sri` accept, in minutes.
const INTERVAL_MIN: std::ops::RangeInclusive<u32> = 15..=43_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_right_but_for_a_day_around_their_turn() {
        for (text, year) in [
            ("1601-01-01T00:00:00Z", 1601),
            ("2006-01-03T00:00:00Z", 2006),
            ("2026-11-20T15:19:26Z", 2026),
            ("2026-12-30T00:00:00Z", 2026),
            ("2028-01-02T00:00:00Z", 2028),
            ("2400-01-03T00:00:00Z", 2400),
        ] {
            let at = FileTime::from_timestamp(text.parse().unwrap()).unwrap();
            assert_eq!(rough_year(at), year, "{text}");
        }
    }
}
