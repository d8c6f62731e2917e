//! Codes of Microsoft's own activation servers: about a MAK or the key of a
//! host, never between a KMS client and its host.

use super::{DecidedBy::*, ERROR_CODES, Entry, Shown};
use crate::wire::Hresult;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Hresult(0xC004_B005),
        name: Some("SL_E_SRV_AUTHORIZATION_FAILED"),
        decided_by: &[Microsoft],
        meaning: "An activation server refused the license. Some emulated hosts know the code; no genuine KMS host has been \
                  seen to send it.",
        cause: "When it arrives from a KMS host, that host has a rule of its own, such as a list of allowed client ids.",
        remedy: "Check which host answered (slmgr /dlv names it) and whether it is the one you run.",
        shown: Shown::Unknown,
        source: "slerror.h",
    },
    Entry {
        code: Hresult(0xC004_C001),
        name: Some("SL_E_CHPA_PRODUCT_KEY_OUT_OF_RANGE"),
        decided_by: &[Microsoft],
        meaning: "Microsoft's activation server finds the product key invalid.",
        cause: "A MAK with a typing error, or one that was never issued.",
        remedy: "Enter the key again; if it stays, have it checked by the Licensing Activation Center. On a machine that \
                 should use KMS, install the KMS client setup key instead.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0xC004_C003),
        name: Some("SL_E_CHPA_PRODUCT_KEY_BLOCKED"),
        decided_by: &[Microsoft],
        meaning: "Microsoft's activation server has blocked the product key. The machine asked Microsoft, not your host.",
        cause: "A blocked MAK or retail key is installed, often one that came with the image or with the computer.",
        remedy: "On a machine that should use KMS, install the KMS client setup key of its edition and run slmgr /ato. \
                 Otherwise obtain a new MAK from the Licensing Activation Center.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0xC004_C008),
        name: Some("SL_E_CHPA_MAXIMUM_UNLOCK_EXCEEDED"),
        decided_by: &[Microsoft],
        meaning: "The product key has reached its limit of activations.",
        cause: "A KMS host key serves six hosts with ten activations each; rebuilt hosts use them up.",
        remedy: "Activate the host by phone, or ask the Licensing Activation Center for more activations.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Volume activation error codes; Plan for volume activation",
    },
    Entry {
        code: Hresult(0xC004_C020),
        name: Some("SL_E_CHPA_DMAK_LIMIT_EXCEEDED"),
        decided_by: &[Microsoft],
        meaning: "The multiple activation key has reached its limit of activations.",
        cause: "A MAK can be activated a fixed number of times; every reinstallation counts.",
        remedy: "Ask the Licensing Activation Center for more activations, or activate by KMS instead.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0xC004_C021),
        name: Some("SL_E_CHPA_DMAK_EXTENSION_LIMIT_EXCEEDED"),
        decided_by: &[Microsoft],
        meaning: "The multiple activation key has also used up its extension.",
        cause: "A MAK was extended once and that limit is reached too.",
        remedy: "Ask the Licensing Activation Center for more activations, or activate by KMS instead.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
];
