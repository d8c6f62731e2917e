//! One machine that asks to be activated.

use std::sync::Arc;

use super::identity::ClientId;
use super::{ClientClock, Lease, LeaseRules};
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
    /// The client machine id it had before, synthetic as well.
    pub previous_id: Option<ClientId>,
    /// The name it sends.
    pub workstation: WorkstationName,
    /// What it wants activated.
    pub wanted: Arc<Wanted>,
    /// Whether it says it is virtual.
    pub is_vm: bool,
    /// What its clock shows.
    pub clock: ClientClock,
    /// How its lease stands.
    pub lease: Lease,
}

/// What a machine wants activated, and how it asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What people call it.
    pub name: String,
    /// The application whose clients a host counts together.
    pub application_id: Guid,
    /// The SKU id, also called activation id; hosts ignore it.
    pub sku_id: Guid,
    /// The KMS counted id: what a host grants or refuses by.
    pub kms_counted_id: Guid,
    /// How many machines it needs the host to have counted.
    pub n_policy: u32,
    /// The protocol version its clients speak.
    pub protocol: ProtocolVersion,
    /// How its lease goes.
    pub rules: LeaseRules,
}

impl From<&Product> for Wanted {
    fn from(product: &Product) -> Wanted {
        Wanted {
            name: product.edition.clone(),
            application_id: product.application_id(),
            sku_id: product.sku_id,
            kms_counted_id: product.kms_counted_id,
            n_policy: product.n_policy,
            protocol: product.protocol,
            rules: LeaseRules::of(product),
        }
    }
}

impl Machine {
    /// A machine just installed, at `now`, whose clock is right.
    pub fn new(
        label: String,
        id: ClientId,
        workstation: WorkstationName,
        wanted: impl Into<Wanted>,
        now: FileTime,
    ) -> Machine {
        let wanted = wanted.into();
        let lease = Lease::installed(now, wanted.rules);
        Machine {
            label,
            id,
            previous_id: None,
            workstation,
            wanted: Arc::new(wanted),
            is_vm: false,
            clock: ClientClock::right(),
            lease,
        }
    }

    /// What the machine asks in `version` at `now`, in a scenario that began at `began`.
    pub fn request(&self, version: ProtocolVersion, now: FileTime, began: FileTime) -> ActivationRequest {
        self.request_standing(version, self.lease.standing(now), now, began)
    }

    /// The same of a machine that says its lease stands so, with so many minutes left: leases may go faster than clocks.
    pub fn request_standing(
        &self,
        version: ProtocolVersion,
        (license_status, binding_expiration_min): (LicenseStatus, u32),
        now: FileTime,
        began: FileTime,
    ) -> ActivationRequest {
        ActivationRequest {
            version,
            is_vm: u32::from(self.is_vm),
            license_status,
            binding_expiration_min,
            application_id: self.wanted.application_id,
            sku_id: self.wanted.sku_id,
            kms_counted_id: self.wanted.kms_counted_id,
            cmid: self.id.guid(),
            n_policy: self.wanted.n_policy,
            client_time: self.clock.read(now, began),
            previous_cmid: self.previous_id.map_or(Guid::NIL, ClientId::guid),
            workstation: self.workstation.clone(),
        }
    }
}
