//! Whom an honest host grants, and whom it refuses with which code (protocol
//! description, sections 5 and 6).

use std::collections::HashMap;
use std::time::Duration;

use super::table::ClientTable;
use crate::catalog;
use crate::client::identity::ClientId;
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::{FileTime, Guid, Hresult};

/// What a granted client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many machines of its application are counted, it included.
    pub count: u32,
}

/// The rules and the memory they need: one table for each application.
#[derive(Debug, Default)]
pub struct Rules {
    tables: HashMap<Guid, ClientTable>,
}

impl Rules {
    /// Decides on a request that could be read. A client that is refused is not counted.
    pub fn decide(&mut self, request: &ActivationRequest, now: FileTime) -> Result<Grant, Hresult> {
        if !ProtocolVersion::ALL.contains(&request.version) || request.n_policy > N_POLICY_MAX {
            return Err(Hresult::INVALID_DATA);
        }
        // The guard of a test fixture, before any rule of a host: no machine of the real world is answered.
        if ClientId::recognise(request.cmid).is_none() {
            return Err(Hresult::KMS_ID_MISMATCH);
        }
        if !catalog::serves(request.application_id, request.kms_counted_id) {
            return Err(Hresult::KMS_ID_MISMATCH);
        }
        if request.client_time.distance(now) > SKEW_MAX {
            return Err(Hresult::INVALID_TIMESTAMP);
        }
        Ok(Grant { count: self.count(request.application_id, request.cmid, request.n_policy, now) })
    }

    /// Counts a client of an application.
    pub fn count(&mut self, application: Guid, cmid: Guid, n_policy: u32, now: FileTime) -> u32 {
        self.tables.entry(application).or_default().count(cmid, n_policy, now)
    }
}

/// How far a client's clock may be from the host's; exactly this much passes.
const SKEW_MAX: Duration = Duration::from_secs(4 * 3600);

/// The largest N policy that is not taken for malformed data (hosts that were tried refuse 1,001 and more).
const N_POLICY_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Machine;
    use crate::client::identity::{Group, Index, workstation_name};
    use crate::wire::kms::WorkstationName;
    use jiff::SignedDuration;

    const NOW: FileTime = FileTime(134_396_615_660_000_000);

    fn request(product: &str) -> ActivationRequest {
        let index = Index::new(1).unwrap();
        let id = ClientId::mint(1, Group::new(0).unwrap(), index);
        let name = WorkstationName::new(&workstation_name("lab", index)).unwrap();
        Machine::new("lab 1".into(), id, name, catalog::find(product).unwrap(), NOW).request(
            ProtocolVersion::V6,
            NOW,
            NOW,
        )
    }

    fn decide(request: &ActivationRequest) -> Result<u32, Hresult> {
        Rules::default().decide(request, NOW).map(|grant| grant.count)
    }

    #[test]
    fn four_hours_pass_and_a_step_more_does_not() {
        let four = SignedDuration::from_hours(4);
        for (offset, expected) in [(four, Ok(1)), (-four, Ok(1))] {
            let at = NOW.saturating_add(offset);
            let mut asked = ActivationRequest { client_time: at, ..request("Windows 11 Enterprise") };
            assert_eq!(decide(&asked), expected);
            asked.client_time = FileTime(if at > NOW { at.0 + 1 } else { at.0 - 1 });
            assert_eq!(decide(&asked), Err(Hresult::INVALID_TIMESTAMP));
        }
        for time in [0, u64::MAX, i64::MAX as u64] {
            let asked = ActivationRequest { client_time: FileTime(time), ..request("Windows 11 Enterprise") };
            assert_eq!(decide(&asked), Err(Hresult::INVALID_TIMESTAMP));
        }
    }

    #[test]
    fn real_client_ids_are_never_answered() {
        let cmid = "cc400c61-a898-4d10-ac36-1c796600b420".parse().unwrap();
        let asked = ActivationRequest { cmid, ..request("Windows 11 Enterprise") };
        assert_eq!(decide(&asked), Err(Hresult::KMS_ID_MISMATCH));
    }

    #[test]
    fn the_counted_id_decides_and_the_sku_does_not() {
        let sku_id = Guid::from_u128(7);
        assert_eq!(decide(&ActivationRequest { sku_id, ..request("Windows 11 Enterprise") }), Ok(1));
        let retail = request("Windows 10/11 Home");
        assert_eq!(decide(&retail), Err(Hresult::KMS_ID_MISMATCH));
        let kms_counted_id = Guid::from_u128(7);
        let unknown = ActivationRequest { kms_counted_id, ..request("Windows 11 Enterprise") };
        assert_eq!(decide(&unknown), Err(Hresult::KMS_ID_MISMATCH));
        let application_id = catalog::Application::Office.guid();
        let elsewhere = ActivationRequest { application_id, ..request("Windows 11 Enterprise") };
        assert_eq!(decide(&elsewhere), Err(Hresult::KMS_ID_MISMATCH));
    }

    #[test]
    fn versions_and_n_policies_that_do_not_exist_are_malformed_data() {
        for (major, minor) in [(3, 0), (7, 0), (6, 1), (4, 1)] {
            let version = ProtocolVersion { major, minor };
            let asked = ActivationRequest { version, ..request("Windows 11 Enterprise") };
            assert_eq!(decide(&asked), Err(Hresult::INVALID_DATA));
        }
        for (n_policy, expected) in [(0, Ok(1)), (1000, Ok(1)), (1001, Err(Hresult::INVALID_DATA))] {
            assert_eq!(decide(&ActivationRequest { n_policy, ..request("Windows 11 Enterprise") }), expected);
        }
    }

    #[test]
    fn applications_count_apart_and_client_and_server_windows_together() {
        let mut rules = Rules::default();
        let mut count = |product, number: u32| {
            let cmid = ClientId::mint(1, Group::new(0).unwrap(), Index::new(number).unwrap()).guid();
            rules.decide(&ActivationRequest { cmid, ..request(product) }, NOW).unwrap().count
        };
        assert_eq!(count("Windows 11 Enterprise", 1), 1);
        assert_eq!(count("Windows Server 2022 Standard", 2), 2);
        assert_eq!(count("Office Professional Plus 2019", 1), 1);
        assert_eq!(count("Office Professional Plus 2010", 1), 1);
    }
}
