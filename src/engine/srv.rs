//! Finding hosts in DNS: `_vlmcs._tcp.DOMAIN` (Microsoft Learn, "Configure DNS records for KMS"; RFC 2782).

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::resolve::{Unresolved, resolve};

/// The hosts a domain publishes, in the order a client tries them: the lowest priority first,
/// and of equal ones the heaviest (RFC 2782 draws by weight; the same order every run serves a test better).
pub async fn resolve_srv(domain: &str, timeout: Duration) -> Result<Vec<SocketAddr>, Unresolved> {
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let resolver = resolver.map_err(|error| unresolved(domain, error.to_string()))?;
    resolve_with(&resolver, domain, timeout).await
}

async fn resolve_with(
    resolver: &TokioResolver,
    domain: &str,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, Unresolved> {
    // The trailing dot keeps the machine's own search list out of it.
    let query = format!("{SERVICE}.{}.", domain.trim_end_matches('.'));
    let lookup = tokio::time::timeout(timeout, resolver.srv_lookup(query.as_str())).await;
    let lookup = lookup.map_err(|_| Unresolved::Timeout { name: query.clone(), after: timeout })?;
    let lookup = lookup.map_err(|error| {
        let why = match () {
            () if error.is_nx_domain() => {
                "the name does not exist: a client would show 0x8007232B; publish the record, or name the host"
                    .to_owned()
            }
            () if error.is_no_records_found() => {
                "the name has no SRV record: a client would show 0x8007251D; publish the record, or name the host"
                    .to_owned()
            }
            () => error.to_string(),
        };
        unresolved(&query, why)
    })?;
    let mut hosts: Vec<(u16, u16, String, u16)> = Vec::new();
    for record in lookup.answers().iter().filter(|record| record.record_type() == RecordType::SRV) {
        if let RData::SRV(srv) = &record.data {
            hosts.push((srv.priority, srv.weight, srv.target.to_utf8(), srv.port));
        }
    }
    // "." as the target says that the service is decidedly not offered (RFC 2782).
    hosts.retain(|(_, _, target, _)| target != ".");
    hosts.sort_by(|a, b| (a.0, std::cmp::Reverse(a.1), &a.2).cmp(&(b.0, std::cmp::Reverse(b.1), &b.2)));
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut last = unresolved(&query, "the record names no host".to_owned());
    for (_, _, target, port) in hosts.into_iter().take(HOSTS_MAX) {
        match resolve(target.trim_end_matches('.'), port, timeout).await {
            Ok(found) => addresses.extend(found),
            Err(error) => last = error,
        }
    }
    if addresses.is_empty() { Err(last) } else { Ok(addresses) }
}

fn unresolved(name: &str, why: String) -> Unresolved {
    Unresolved::NoAddress { name: name.to_owned(), why }
}

const SERVICE: &str = "_vlmcs._tcp";
/// A domain that publishes more has other troubles.
const HOSTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use std::net::Ipv4Addr;
    use tokio::net::UdpSocket;

    use super::*;

    /// A name server of one answer: these SRV records (priority, weight, port, host), or a code.
    async fn name_server(records: &'static [(u16, u16, u16, &'static str)], code: u8) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((len, peer)) = socket.recv_from(&mut query).await {
                let question_len = query[12..len].iter().position(|&byte| byte == 0).unwrap() + 5;
                let mut answer = query[..2].to_vec();
                answer.extend([0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
                answer.extend(&query[12..12 + question_len]);
                for (priority, weight, port, host) in records {
                    answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
                    let name: Vec<u8> = host
                        .split('.')
                        .filter(|label| !label.is_empty())
                        .flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes()))
                        .chain([0])
                        .collect();
                    answer.extend((6 + name.len() as u16).to_be_bytes());
                    for number in [priority, weight, port] {
                        answer.extend(number.to_be_bytes());
                    }
                    answer.extend(name);
                }
                let _ = socket.send_to(&answer, peer).await;
            }
        });
        address
    }

    async fn ask(server: SocketAddr) -> Result<Vec<SocketAddr>, Unresolved> {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let mut config = ResolverConfig::default();
        config.add_name_server(NameServerConfig::new(server.ip(), true, vec![connection]));
        let mut options = ResolverOpts::default();
        options.attempts = 1;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .unwrap();
        resolve_with(&resolver, "example.edu", Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn hosts_come_by_priority_then_weight_each_with_its_port() {
        let server =
            name_server(&[(10, 0, 1688, "127.0.0.3"), (0, 1, 1700, "127.0.0.2"), (0, 9, 1688, "127.0.0.1")], 0);
        let resolved = ask(server.await).await.unwrap();
        let addresses: Vec<_> = resolved.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:1688", "127.0.0.2:1700", "127.0.0.3:1688"]);
    }

    #[tokio::test]
    async fn a_name_without_records_says_what_a_client_would_show() {
        let missing = ask(name_server(&[], 3).await).await.unwrap_err().to_string();
        assert!(missing.contains("0x8007232B"), "{missing}");
        let empty = ask(name_server(&[], 0).await).await.unwrap_err().to_string();
        assert!(empty.contains("0x8007251D"), "{empty}");
        let refused = ask(name_server(&[(0, 0, 1688, "")], 0).await).await.unwrap_err().to_string();
        assert!(refused.contains("names no host"), "{refused}");
    }
}
