//! The oracle's tests.

mod honest;
mod lies;
mod world;

use super::*;
use crate::wire::kms::ProtocolVersion;

pub(super) const START: FileTime = FileTime::RECORDED_AT;

/// A right question of the Windows machine of that number.
pub(super) fn question(machine: u128) -> Question {
    let product = crate::catalog::find("Windows 11 Enterprise").unwrap();
    Question {
        version: ProtocolVersion::V6,
        application_id: product.application_id(),
        kms_counted_id: product.kms_counted_id,
        cmid: Guid::from_u128(machine),
        n_policy: 25,
        client_time: START,
    }
}
