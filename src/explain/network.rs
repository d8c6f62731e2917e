//! Codes that come of the way to a host: name resolution, TCP, no answer.

use super::{DecidedBy::*, ERROR_CODES, Entry, Shown};
use crate::wire::Hresult;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Hresult(0xC004_F039),
        name: Some("SL_E_VL_BINDING_SERVICE_NOT_ENABLED"),
        decided_by: &[Network, Client],
        meaning: "The words say that KMS is not enabled; Microsoft's explanation is that KMS did not respond to the \
                  request. No host is known to send this code.",
        cause: "TCP port 1688 is blocked between client and host, or nothing listens there.",
        remedy: "Open TCP 1688 on the host's firewall and on everything between, and check that the host's Software \
                 Protection service runs and listens.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0x8007_06BA),
        name: Some("HRESULT_FROM_WIN32(RPC_S_SERVER_UNAVAILABLE)"),
        decided_by: &[Network],
        meaning: "The RPC server is unavailable: no connection to the host came about.",
        cause: "The host's firewall has no exception for the Key Management Service, the SRV record is stale, or the host \
                is down.",
        remedy: "Allow TCP 1688 on the host, correct the SRV records, and test the connection from the client's network.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0x8007_232A),
        name: Some("HRESULT_FROM_WIN32(DNS_ERROR_RCODE_SERVER_FAILURE)"),
        decided_by: &[Network],
        meaning: "The DNS server failed. On a KMS host: it could not publish its SRV record.",
        cause: "DNS or network trouble; on a host, a zone that does not take its dynamic update (event 12293).",
        remedy: "Repair DNS. On a host, let it write the _vlmcs._tcp record or create the record by hand. Meanwhile a \
                 client can be pointed with slmgr /skms.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Error 0x8007232A; Volume activation error codes",
    },
    Entry {
        code: Hresult(0x8007_232B),
        name: Some("HRESULT_FROM_WIN32(DNS_ERROR_RCODE_NAME_ERROR)"),
        decided_by: &[Network],
        meaning: "The name asked for does not exist in DNS: there is no _vlmcs._tcp in the client's domain.",
        cause: "No host has published its record there, the client asks in another domain, or the product is a KMS client \
                where none was wanted.",
        remedy: "Publish the SRV record _vlmcs._tcp.DOMAIN (port 1688), or name the host with slmgr /skms HOST. Where \
                 there is no KMS, install a key of another kind.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0x8007_251D),
        name: Some("HRESULT_FROM_WIN32(DNS_INFO_NO_RECORDS)"),
        decided_by: &[Network],
        meaning: "The name exists in DNS but has no SRV record.",
        cause: "The record was deleted, expired by scavenging, or made as another type.",
        remedy: "Publish the SRV record _vlmcs._tcp.DOMAIN (port 1688) again, or name the host with slmgr /skms HOST.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0x8007_007B),
        name: Some("HRESULT_FROM_WIN32(ERROR_INVALID_NAME)"),
        decided_by: &[Local],
        meaning: "The machine has no DNS suffix, so it has no domain to look for a host in and sends no query at all. \
                  Microsoft's text says only that the DNS name does not exist.",
        cause: "A machine outside any domain whose DHCP server hands out no domain name.",
        remedy: "Give it a DNS suffix (DHCP option 15, or the connection's settings), set the lookup domain with slmgr \
                 /skms-domain DOMAIN, or name the host with slmgr /skms HOST.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Volume activation error codes; captures of Windows 11 clients",
    },
    Entry {
        code: Hresult(0x8009_2328),
        name: None,
        decided_by: &[Network],
        meaning: "The DNS name does not exist: the client found no SRV record of a KMS host.",
        cause: "As for 0x8007232B: no record published, or the wrong domain asked.",
        remedy: "Publish the SRV record _vlmcs._tcp.DOMAIN (port 1688), or name the host with slmgr /skms HOST.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0x8007_267C),
        name: Some("HRESULT_FROM_WIN32(DNS_ERROR_NO_DNS_SERVERS)"),
        decided_by: &[Local],
        meaning: "No DNS server is configured on the machine, so no host can be looked up.",
        cause: "The network adapter has no DNS server, by hand or from DHCP.",
        remedy: "Configure a DNS server, name the host by its address with slmgr /skms, or use a MAK.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Windows activation fails with error 0x8007267C (KB 2009462)",
    },
    Entry {
        code: Hresult(0xC002_0017),
        name: Some("RPC_NT_SERVER_UNAVAILABLE"),
        decided_by: &[Network],
        meaning: "The RPC server is unavailable, as event 8198 on the client reports it.",
        cause: "The host cannot be reached at that moment: typically a VPN that is not up yet or forces all traffic \
                through itself.",
        remedy: "Let the machine reach TCP 1688 on the host (through the VPN or beside it), restart the Software \
                 Protection service, and activate again.",
        shown: Shown::Unknown,
        source: "Microsoft Learn, Activation event 8198 with 0xC0020017 or 0x8007139F",
    },
    Entry {
        code: Hresult(0x8007_139F),
        name: Some("HRESULT_FROM_WIN32(ERROR_INVALID_STATE)"),
        decided_by: &[Network, Local],
        meaning: "Something was not in the state the call needs, as event 8198 on the client reports a KMS host it could \
                  not contact.",
        cause: "As for 0xC0020017: the way to the host is not there yet when the client asks.",
        remedy: "Check VPN and routes, restart the Software Protection service, and activate again.",
        shown: Shown::Unknown,
        source: "Microsoft Learn, Activation event 8198 with 0xC0020017 or 0x8007139F",
    },
    Entry {
        code: Hresult(0x0000_071C),
        name: Some("RPC_S_COMM_FAILURE"),
        decided_by: &[Network],
        meaning: "A communications failure: the peer closed the connection without an answer. A Win32 error, 1820, and not \
                  an HRESULT; some test clients print it, Windows does not.",
        cause: "The host, or a device on the way, dropped the connection after the request: a crash on what it was sent, \
                or a limit.",
        remedy: "Read the host's log at that moment, and send the same request again with kmsproof to see where the \
                 conversation ends.",
        shown: Shown::Never,
        source: "winerror.h",
    },
];
