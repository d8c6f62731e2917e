//! The highest rate at which a service level holds: which trial to make next, and what they come to.
//!
//! [`Search`] is asked for a trial and told how it went, again and again; it knows neither hosts nor
//! clocks. It begins with a calm trial, doubles the rate until the service level breaks, halves the
//! distance between what held and what broke, and holds what it found once more and for longer. One bad
//! trial is no proof: a rate has broken when it broke twice. A trial in which the generator itself could
//! not keep up says nothing of the host, and when that goes on the search ends with what is known.

mod search;

pub use search::{Bounds, Capacity, GaveWay, Search, Trial, TrialKind, TrialResult, UnderLoad};
