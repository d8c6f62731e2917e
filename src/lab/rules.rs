//! Whom an honest host grants, and whom it refuses with which code (protocol
//! description, sections 5 and 6).

use std::collections::HashMap;

use super::conduct::Conduct;
use super::table::ClientTable;
use crate::catalog;
use crate::client::identity::ClientId;
use crate::wire::kms::{ActivationRequest, ProtocolVersion, WorkstationName};
use crate::wire::rpc::TransferSyntax;
use crate::wire::{FileTime, Guid, Hresult};

/// What a granted client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many machines of its application are counted, it included.
    pub count: u32,
}

/// What a host decides by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The request.
    pub request: &'a ActivationRequest,
    /// What the host's clock shows.
    pub now: FileTime,
    /// How many times the host has forgotten every client.
    pub life: u64,
}

/// Where a request came from, and how.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// At which of the host's addresses it asked, from 0.
    pub address: usize,
    /// The number of its connection.
    pub connection: u64,
    /// The syntax of its call.
    pub syntax: TransferSyntax,
}

impl Default for Arrival {
    fn default() -> Arrival {
        Arrival { address: 0, connection: 0, syntax: TransferSyntax::Ndr32 }
    }
}

/// Who is counted.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The application.
    pub application: Guid,
    /// The client machine id.
    pub cmid: Guid,
    /// The N policy.
    pub n_policy: u32,
    /// The machine's name, where it gave one.
    pub name: Option<&'a WorkstationName>,
    /// Where its request came from, and how.
    pub arrival: Arrival,
    /// The request, where there was one.
    pub request: Option<&'a ActivationRequest>,
}

/// One question a request is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Does the protocol version exist?
    Version,
    /// Is the N policy one a client may have?
    NPolicy,
    /// Is the product served?
    Product,
    /// Is the client's clock right enough?
    Clock,
    /// Is the machine itself to be refused? No honest host refuses any.
    Machine,
}

impl Rule {
    /// What an honest host says.
    fn honest(self, asked: &Asked<'_>, conduct: &Conduct) -> Result<(), Hresult> {
        let Asked { request, now, .. } = *asked;
        let (holds, otherwise) = match self {
            Rule::Version => (ProtocolVersion::ALL.contains(&request.version), Hresult::INVALID_DATA),
            Rule::NPolicy => (request.n_policy <= N_POLICY_MAX, Hresult::INVALID_DATA),
            Rule::Product => {
                (catalog::serves(request.application_id, request.kms_counted_id), Hresult::KMS_ID_MISMATCH)
            }
            Rule::Clock => (conduct.clock.hold(request.client_time, now), Hresult::INVALID_TIMESTAMP),
            Rule::Machine => return Ok(()),
        };
        if holds { Ok(()) } else { Err(otherwise) }
    }
}

/// The rules and the memory they need: one table for each application.
#[derive(Debug, Default)]
pub struct Rules {
    tables: HashMap<Guid, ClientTable>,
    life: u64,
    /// How the request that comes next does.
    pub(super) arrival: Arrival,
    conduct: Conduct,
}

impl Rules {
    /// The rules of a host of this conduct that has seen no client.
    pub fn of(conduct: Conduct) -> Rules {
        Rules { conduct, ..Rules::default() }
    }

    /// The host's conduct.
    pub fn conduct(&mut self) -> &mut Conduct {
        &mut self.conduct
    }

    /// Decides on a request that could be read. A client that is refused is not counted.
    pub fn decide(&mut self, request: &ActivationRequest, now: FileTime) -> Result<Grant, Hresult> {
        let asked = Asked { request, now, life: self.life };
        self.hold(Rule::Version, &asked)?;
        self.hold(Rule::NPolicy, &asked)?;
        // The guard of a test fixture, which is no rule of a host and which no fault can lift: no
        // machine of the real world is answered.
        if ClientId::recognise(request.cmid).is_none() {
            return Err(Hresult::KMS_ID_MISMATCH);
        }
        self.hold(Rule::Product, &asked)?;
        self.hold(Rule::Clock, &asked)?;
        self.hold(Rule::Machine, &asked)?;
        let caller = Caller {
            application: request.application_id,
            cmid: request.cmid,
            n_policy: request.n_policy,
            name: Some(&request.workstation),
            arrival: self.arrival,
            request: Some(request),
        };
        let count = self.count(&caller, now);
        self.conduct.granted(&asked, Grant { count })
    }

    /// Counts a client of an application.
    pub fn count(&mut self, caller: &Caller<'_>, now: FileTime) -> u32 {
        let (mut table, entry) = self.conduct.table_and_entry(caller);
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&table) {
            table = Guid::NIL;
        }
        let n_policy = self.conduct.n_policy(caller);
        let table = self.tables.entry(table).or_default();
        let tally = table.count(&self.conduct.table, entry, n_policy, now);
        if !tally.known && self.conduct.loses() {
            table.forget(entry);
        }
        self.conduct.told(tally)
    }

    /// Forgets every client.
    pub fn forget_clients(&mut self) {
        self.tables.clear();
        self.life += 1;
    }

    fn hold(&mut self, rule: Rule, asked: &Asked<'_>) -> Result<(), Hresult> {
        let honest = rule.honest(asked, &self.conduct);
        self.conduct.ruled(rule, asked, honest)
    }
}

/// More than there are applications: only a host that serves what does not exist comes near it, and
/// the rest then shares a table. One that begins anew every fifty requests does, too.
const TABLES_MAX: usize = 256;

/// The largest N policy that is not taken for malformed data (hosts that were tried refuse 1,001 and more).
const N_POLICY_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Machine;
    use crate::client::identity::{Group, Index, workstation_name};
    use crate::wire::kms::WorkstationName;
    use jiff::SignedDuration;

    const NOW: FileTime = FileTime::RECORDED_AT;

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
