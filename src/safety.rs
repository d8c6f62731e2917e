//! What protects a host from kmsproof (README, "What it is not").
//!
//! Everything is decided here, in one place, before the first packet.

use core::net::SocketAddr;
use std::time::Duration;

use crate::catalog;
use crate::client::identity::ClientId;
use crate::population::{Ids, Place};
use crate::scenario::Plan;

/// What the user said of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// Whoever runs this may test that host.
    pub authorized: bool,
    /// The host may be spoiled: no caps.
    pub disposable_host: bool,
}

/// The caps a run is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Where client ids come from.
    pub ids: Ids,
    /// The largest N policy that may be sent.
    pub n_policy_max: Option<u32>,
    /// The most distinct client ids per application.
    pub clients_max: Option<usize>,
    /// The least time between two requests.
    pub pace: Option<Duration>,
}

/// A run that is not allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Nobody said that this host may be tested.
    #[error("{address} is not loopback: say --authorized if you may test that host")]
    NotAuthorized {
        /// The first such address.
        address: SocketAddr,
    },
    /// The N policy would grow the host's table for good.
    #[error(
        "an N policy of {n_policy} is more than {max}, and a host never shrinks its table again: \
         say --disposable-host if this host may be spoiled"
    )]
    NPolicy {
        /// What would have been sent.
        n_policy: u32,
        /// The cap.
        max: u32,
    },
    /// A host that is not the embedded one is sent the same few ids in every run.
    #[error(
        "client id {id} is none of the {POOL_IDS_MAX} that kmsproof sends to hosts it may not spoil: \
         say --disposable-host if this host may be spoiled"
    )]
    Id {
        /// What would have been sent.
        id: ClientId,
    },
    /// The host would be asked faster than it may be.
    #[error(
        "{per_s}/s is more than {max_per_s}/s, the most a host is asked that may not be spoiled, for it logs every \
         request: say {max_per_s}/s at most, or --disposable-host if this host may be spoiled"
    )]
    Rate {
        /// What would have been sent, in a second.
        per_s: f64,
        /// The cap.
        max_per_s: f64,
    },
    /// So many ids would push real clients out of the host's table.
    #[error(
        "{clients} client ids for {application} are more than {max}, and a host keeps each for 30 days: \
         say --disposable-host if this host may be spoiled"
    )]
    Clients {
        /// The application.
        application: String,
        /// How many would have been sent.
        clients: usize,
        /// The cap.
        max: usize,
    },
}

impl Limits {
    /// The caps for a host: none for the embedded one, which ends with the run.
    pub fn of(embedded: bool, consent: Consent) -> Limits {
        if embedded || consent.disposable_host {
            return Limits { ids: Ids::Seeded, n_policy_max: None, clients_max: None, pace: None };
        }
        Limits { ids: Ids::Pool, n_policy_max: Some(N_POLICY_CAP), clients_max: Some(POOL_IDS_MAX), pace: Some(PACE) }
    }

    /// Whether a plan keeps within them.
    pub fn check(&self, plan: &Plan) -> Result<(), Refused> {
        self.check_n_policy(plan.largest_n_policy())?;
        for (application, clients) in plan.ids_per_application() {
            if let Some(max) = self.clients_max.filter(|&max| clients > max) {
                let application = catalog::application_name(application);
                return Err(Refused::Clients { application, clients, max });
            }
        }
        if self.ids == Ids::Seeded {
            return Ok(());
        }
        for (group, first, last) in plan.arriving() {
            for number in first..=last {
                for id in plan.population.ids_of(Place { group, number }) {
                    self.check_id(id)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a client id keeps within them: where ids come from the fixed pool, it must be one of its first.
    pub fn check_id(&self, id: ClientId) -> Result<(), Refused> {
        let in_pool = id.pool_number().is_some_and(|number| (1..=POOL_IDS_MAX as u32).contains(&number.number()));
        match self.ids {
            Ids::Pool if !in_pool => Err(Refused::Id { id }),
            _ => Ok(()),
        }
    }

    /// Whether so many requests a second keep within them.
    pub fn check_rate(&self, per_s: f64) -> Result<(), Refused> {
        let max_per_s = self.pace.map_or(f64::INFINITY, |pace| 1.0 / pace.as_secs_f64());
        if per_s > max_per_s { Err(Refused::Rate { per_s, max_per_s }) } else { Ok(()) }
    }

    /// Whether an N policy keeps within them.
    pub fn check_n_policy(&self, n_policy: u32) -> Result<(), Refused> {
        match self.n_policy_max {
            Some(max) if n_policy > max => Err(Refused::NPolicy { n_policy, max }),
            _ => Ok(()),
        }
    }
}

/// Whether these addresses may be sent to.
pub fn check_addresses(addresses: &[SocketAddr], consent: Consent) -> Result<(), Refused> {
    let foreign = addresses.iter().find(|address| !is_loopback(address));
    match foreign {
        Some(&address) if !consent.authorized => Err(Refused::NotAuthorized { address }),
        _ => Ok(()),
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// A Windows client's: the largest a real host is asked for.
const N_POLICY_CAP: u32 = 25;
/// What a host's table holds once a Windows client came.
const POOL_IDS_MAX: usize = 50;
/// Fifty requests a second.
const PACE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::client::identity::{Group, Index};
    use crate::wire::{FileTime, Guid};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_loopback_needs_no_word() {
        let silent = Consent::default();
        for text in ["127.0.0.1:1688", "127.8.9.1:1", "[::1]:1688", "[::ffff:127.0.0.1]:1688"] {
            assert_eq!(check_addresses(&[address(text)], silent), Ok(()), "{text}");
        }
        for text in ["192.0.2.1:1688", "10.0.0.1:1688", "[2001:db8::1]:1688", "[::ffff:10.0.0.1]:1688", "0.0.0.0:1688"]
        {
            let addresses = [address("127.0.0.1:1688"), address(text)];
            assert!(check_addresses(&addresses, silent).is_err(), "{text}");
            assert_eq!(check_addresses(&addresses, Consent { authorized: true, ..silent }), Ok(()));
        }
    }

    #[test]
    fn only_the_embedded_and_a_disposable_host_have_no_caps() {
        let silent = Consent::default();
        assert_eq!(Limits::of(true, silent).pace, None);
        let capped = Limits::of(false, Consent { authorized: true, ..silent });
        assert_eq!((capped.ids, capped.pace), (Ids::Pool, Some(PACE)));
        assert_eq!(capped.check_n_policy(25), Ok(()));
        assert!(capped.check_n_policy(26).is_err());
        let (ours, other) = (ClientId::pool(Index::new(50).unwrap()), ClientId::pool(Index::new(51).unwrap()));
        assert_eq!(capped.check_id(ours), Ok(()));
        assert_eq!(capped.check_id(other), Err(Refused::Id { id: other }));
        assert!(capped.check_id(ClientId::mint(0, Group::default(), Index::new(1).unwrap())).is_err());
        let spoiled = Limits::of(false, Consent { disposable_host: true, ..silent });
        assert_eq!(spoiled.check_n_policy(1000), Ok(()));
        assert_eq!((spoiled.check_rate(1e6), capped.check_rate(50.0)), (Ok(()), Ok(())));
        assert_eq!(capped.check_rate(50.5), Err(Refused::Rate { per_s: 50.5, max_per_s: 50.0 }));
    }

    fn refused(count: u32, n_policy: u32, ids: Ids) -> Result<(), Refused> {
        let source = format!(
            "name = \"crowd\"\nquestion = \"How many?\"\n[clients.a]\ncount = {count}\nn-policy = {n_policy}\n\
             product = \"Windows Server 2022 Standard\"\n\
             [[step]]\ntitle = \"all\"\nclients = [\"a\"]\nexpect = {{ wire = \"0x00000000\" }}\n"
        );
        let plan = crate::scenario::load(&source, "crowd.toml", &crate::scenario::ShippedTables).unwrap().plan(1, ids);
        Limits::of(false, Consent { authorized: true, disposable_host: false }).check(&plan)
    }

    #[test]
    fn a_plan_keeps_within_every_cap_or_is_refused() {
        assert_eq!(refused(50, 25, Ids::Pool), Ok(()));
        assert_eq!(refused(1, 26, Ids::Pool), Err(Refused::NPolicy { n_policy: 26, max: 25 }));
        assert_eq!(
            refused(51, 5, Ids::Pool),
            Err(Refused::Clients { application: "Windows".to_owned(), clients: 51, max: 50 })
        );
        assert!(matches!(refused(1, 5, Ids::Seeded), Err(Refused::Id { .. })));
    }

    /// Whatever a file says of ids, names, counts and products: what passes asks with the fixed
    /// few ids and small N policies, in every single request.
    fn files() -> impl Strategy<Value = String> {
        let product = prop_oneof![
            Just("product = \"Windows 11 Enterprise\""),
            Just("products = [\"Windows Server 2022 Standard\", \"Office Professional Plus 2019\"]"),
            Just("product = { name = \"Windows 10/11 Home\", n-policy = 24, application = \"Office\" }"),
        ];
        let more = prop_oneof![
            Just(""),
            Just("clones = true"),
            Just("previous-id = true"),
            Just("n-policy = 26"),
            Just("n-policy = 1000"),
            Just("workstation = \"REAL-{number}\""),
        ];
        let group = (1_u32..70, product, more);
        (prop::collection::vec(group, 1..4), 1_u32..70, 1_u32..3).prop_map(|(groups, last, repeat)| {
            let mut file = "name = \"any\"\nquestion = \"Any?\"\n".to_owned();
            let mut clients = Vec::new();
            for (number, (count, product, more)) in groups.iter().enumerate() {
                file += &format!("[clients.g{number}]\ncount = {count}\n{product}\n{more}\n");
                clients.push(format!("\"g{number}[{}..{count}]\"", count.min(&last)));
            }
            file + &format!(
                "[[step]]\ntitle = \"all\"\nclients = [{}]\nrepeat = {repeat}\norder = \"shuffled\"\n",
                clients.join(", ")
            )
        })
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn no_file_gets_past_the_caps(file in files(), seed: u64) {
            let limits = Limits::of(false, Consent { authorized: true, disposable_host: false });
            let plan = crate::scenario::load(&file, "any.toml", &|_: &str| Err("none".to_owned())).unwrap().plan(seed, limits.ids);
            prop_assume!(limits.check(&plan).is_ok());
            let mut ids: BTreeMap<Guid, BTreeSet<Guid>> = BTreeMap::new();
            for position in 0..plan.steps[0].arrivals() {
                let arrival = plan.arrival(0, position);
                let request = plan.machine(&arrival, FileTime(0)).request(arrival.version, FileTime(0), FileTime(0));
                prop_assert!(request.n_policy <= 25);
                prop_assert!(request.n_policy > 0);
                for id in [request.cmid, request.previous_cmid].into_iter().filter(|id| *id != Guid::NIL) {
                    let number = ClientId::from_guid(id).and_then(ClientId::pool_number).map(Index::number);
                    prop_assert!(number.is_some_and(|number| (1..=50).contains(&number)), "{id}");
                }
                ids.entry(request.application_id).or_default().insert(request.cmid);
            }
            prop_assert!(ids.values().all(|ids| ids.len() <= 50));
        }
    }
}
