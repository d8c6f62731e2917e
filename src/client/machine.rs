//! One machine that asks to be activated.

use super::identity::ClientId;
use crate::catalog::Product;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion, WorkstationName};
use crate::wire::{FileTime, Guid};

/// A simulated machine: who it is and what it says of itself.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What people call it: its group and number in it, counted from 1.
    pub label: String,
    /// Its client machine id, always a synthetic one.
    pub id: ClientId,
    /// The name it sends.
    pub workstation: WorkstationName,
    /// What it wants activated.
    pub product: &'static Product,
    /// How many machines it needs the host to have counted.
    pub n_policy: u32,
    /// Whether it says it is virtual.
    pub is_vm: bool,
    /// The license status it says it is in.
    pub license_status: LicenseStatus,
    /// The minutes it says are left in that status.
    pub binding_expiration_min: u32,
}

impl Machine {
    /// A machine just installed: in its initial grace of 30 days (Microsoft Learn, "Key Management Services client activation").
    pub fn new(label: String, id: ClientId, workstation: WorkstationName, product: &'static Product) -> Machine {
        Machine {
            label,
            id,
            workstation,
            product,
            n_policy: product.n_policy,
            is_vm: false,
            license_status: LicenseStatus::OOB_GRACE,
            binding_expiration_min: INITIAL_GRACE_MIN,
        }
    }

    /// What the machine asks in `version` when its clock shows `client_time`.
    pub fn request(&self, version: ProtocolVersion, client_time: FileTime) -> ActivationRequest {
        ActivationRequest {
            version,
            is_vm: u32::from(self.is_vm),
            license_status: self.license_status,
            binding_expiration_min: self.binding_expiration_min,
            application_id: self.product.application_id(),
            sku_id: self.product.sku_id,
            kms_counted_id: self.product.kms_counted_id,
            cmid: self.id.guid(),
            n_policy: self.n_policy,
            client_time,
            previous_cmid: Guid::NIL,
            workstation: self.workstation.clone(),
        }
    }
}

/// 30 days.
const INITIAL_GRACE_MIN: u32 = 43_200;
