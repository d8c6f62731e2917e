//! Faults of what a client is told to do next (protocol description, section 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::catalog::Application;
use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::wire::kms::ActivationResponse;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "never-renews-office",
        does: "Tells Office clients to renew after 4,294,967,295 minutes.",
        hurts: "Office clients: they lapse after 180 days, and never ask before.",
        caught_by: &["kms/policy/intervals#intervals"],
        install: Install::Answers(|host, _| to_office(host, |response| response.renewal_interval_min = u32::MAX)),
    },
    Fault {
        name: "swaps-intervals-for-office",
        does: "Tells Office clients its two intervals the other way round.",
        hurts: "Office clients: they renew every two hours, and those that were refused ask again after a week.",
        caught_by: &["kms/policy/intervals#intervals"],
        install: Install::Answers(|host, _| {
            to_office(host, |response| {
                std::mem::swap(&mut response.activation_interval_min, &mut response.renewal_interval_min);
            });
        }),
    },
    Fault {
        name: "says-never",
        does: "Answers with an activation and a renewal interval of 0 minutes.",
        hurts: "Every client: what it does next is its own guess, from asking without end to never again.",
        caught_by: &["kms/policy/intervals#intervals"],
        install: Install::Answers(|host, _| {
            host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (0, 0));
        }),
    },
    Fault {
        name: "shouts-at-clients",
        does: "Answers with an activation and a renewal interval of one minute, where 15 is the least.",
        hurts: "The network and the host: every client asks again every minute.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (1, 1));
        }),
    },
];

/// Changes what Office clients are told.
fn to_office(host: &mut Conduct, change: fn(&mut ActivationResponse)) {
    let asks_for_office = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&asks_for_office);
    host.grant(move |asked, grant| {
        noticed.store(asked.request.application_id != Application::Windows.guid(), Ordering::Relaxed);
        Ok(grant)
    });
    host.write(move |response| {
        if asks_for_office.load(Ordering::Relaxed) {
            change(response);
        }
    });
}
