//! A host that computes nothing: it looks answers up.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::catalog::{self, Application};
use crate::client::Randomness;
use crate::client::identity::{ClientId, Group, Index};
use crate::engine::{Poll, Ready, pin};
use crate::lab::{HostIdentity, LabHost};
use crate::population::{Activation, Place};
use crate::proto::{Ask, HostAssociation, HostConfig};
use crate::scenario::Plan;
use crate::wire::FileTime;
use crate::wire::rpc::{PduView, Ptype};

/// Answers known before they are asked for: to the first requests of a plan, in NDR32.
#[derive(Debug)]
pub struct Canned {
    /// The answer to each request, by the first half of its IV.
    answers: HashMap<u64, Vec<u8>, Trivial>,
    /// A request PDU there is an answer to.
    request: Vec<u8>,
}

/// IVs are random already.
type Trivial = std::hash::BuildHasherDefault<FirstEight>;

#[derive(Debug, Default)]
struct FirstEight(u64);

impl std::hash::Hasher for FirstEight {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Canned {
    /// The answers of an honest host with a full table to the first `many` requests of `plan`, each
    /// by a machine of its own whose clock shows the same in all of them.
    pub fn new(plan: &Plan, many: u64, now: FileTime) -> Canned {
        let mut lab = LabHost::new(HostIdentity::default(), 1);
        for number in 0..TABLE {
            let id = ClientId::mint(plan.seed, Group::default(), Index::new(u32::MAX >> 5).unwrap_or_default());
            let id = Index::new(number).map_or(id, |index| ClientId::mint(plan.seed ^ 1, Group::default(), index));
            lab.count(Application::Windows, id, TABLE / 2, now);
        }
        let _ = catalog::all();
        let mut randomness = Randomness::new(plan.seed);
        let mut answers = HashMap::default();
        let mut request = Vec::new();
        for ordinal in 0..many {
            let machine = Place { group: 0, number: ordinal as u32 + 1 };
            let machine = plan.population.machine(Activation { machine, product: 0 }, now);
            let iv = randomness.iv(ordinal);
            let ask = Ask::new(machine.request(machine.wanted.protocol, now, now), iv);
            let (asked, answer) = call(&mut lab, &ask, now);
            answers.insert(key(&iv), answer);
            if ordinal == 0 {
                request = asked;
            }
        }
        Canned { answers, request }
    }

    /// A request PDU there is an answer to.
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

/// A request PDU with an ask in it, and its answer.
fn call(lab: &mut LabHost, ask: &Ask, now: FileTime) -> (Vec<u8>, Vec<u8>) {
    use crate::proto::{Association, AssociationConfig, Moment, Offer};
    use crate::wire::rpc::TransferSyntax;
    let offer = Offer::Only(TransferSyntax::Ndr32);
    let mut client = Association::new(AssociationConfig { offer, ..AssociationConfig::default() });
    let mut host = HostAssociation::new(HostConfig::default());
    client.begin(Moment::default());
    host.handle_bytes(&client.poll_transmit().unwrap_or_default());
    client.handle_bytes(Moment::default(), &host.poll_transmit().unwrap_or_default());
    client.call(Moment::default(), ask.payload()).expect("a host of ours lets itself be bound");
    let request = client.poll_transmit().unwrap_or_default();
    host.handle_bytes(&request);
    let call = host.poll_call().expect("a request of ours is a call");
    let answer = lab.respond(&call.payload, now).1;
    host.answer(&call, answer.as_deref().map_err(|code| *code));
    (request, host.poll_transmit().unwrap_or_default())
}

fn key(iv: &[u8]) -> u64 {
    u64::from_ne_bytes(std::array::from_fn(|byte| iv[byte]))
}

/// A host on loopback, in a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct FixedHost {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    thread: Option<JoinHandle<()>>,
}

impl FixedHost {
    /// Starts one, on this core if one is named. Where `notes` it remembers when each request came.
    pub fn start(canned: Arc<Canned>, core: Option<usize>, notes: bool) -> std::io::Result<FixedHost> {
        let listener = listen()?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let (ended, noted) = (Arc::clone(&stop), notes.then(|| Arc::clone(&arrivals)));
        let serve = move || {
            if let Some(core) = core {
                pin(core);
            }
            // A yardstick that breaks shows in what is measured with it.
            let _ = Serving::new(listener, canned, address.port(), noted).and_then(|serving| serving.run(&ended));
        };
        let thread = std::thread::Builder::new().name("fixed host".to_owned()).spawn(serve)?;
        Ok(FixedHost { address, stop, arrivals, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When requests came since this was last asked.
    pub fn take_arrivals(&self) -> Vec<Instant> {
        std::mem::take(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for FixedHost {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listening socket with as long a queue as the system lets it have.
fn listen() -> std::io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketType, bind, ipproto, listen, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP))?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct Serving {
    poll: Poll,
    listener: TcpListener,
    canned: Arc<Canned>,
    port: u16,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    out: Vec<u8>,
    arrivals: Option<Arc<Mutex<Vec<Instant>>>>,
}

struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Serving {
    fn new(
        listener: TcpListener,
        canned: Arc<Canned>,
        port: u16,
        arrivals: Option<Arc<Mutex<Vec<Instant>>>>,
    ) -> std::io::Result<Serving> {
        let poll = Poll::new(256)?;
        poll.add(listener.as_fd(), LISTENER, false)?;
        let (connections, free) = (Vec::new(), Vec::new());
        Ok(Serving {
            poll,
            listener,
            canned,
            port,
            connections,
            free,
            buffer: vec![0; 16 * 1024],
            out: Vec::with_capacity(16 * 1024),
            arrivals,
        })
    }

    fn run(mut self, stop: &AtomicBool) -> std::io::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let found = self.poll.wait(Duration::from_millis(50))?;
            for index in 0..found {
                let ready = self.poll.ready(index);
                if ready.token == LISTENER { self.accept()? } else { self.serve(ready) }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> std::io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // A client that is gone again.
                Err(_) => continue,
            };
            stream.set_nonblocking(true)?;
            let _ = stream.set_nodelay(true);
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poll.add(stream.as_fd(), at as u64, false)?;
            self.connections[at] = Some(Connection { stream, rest: Vec::new() });
        }
    }

    fn serve(&mut self, ready: Ready) {
        let at = ready.token as usize;
        loop {
            let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
            let is_over = match connection.stream.read(&mut self.buffer) {
                Ok(0) => true,
                Ok(read) => {
                    self.out.clear();
                    let requests = if connection.rest.is_empty() {
                        let (whole, requests) = answer(&self.canned, self.port, &self.buffer[..read], &mut self.out);
                        connection.rest.extend_from_slice(&self.buffer[whole..read]);
                        requests
                    } else {
                        connection.rest.extend_from_slice(&self.buffer[..read]);
                        let (whole, requests) = answer(&self.canned, self.port, &connection.rest, &mut self.out);
                        connection.rest.drain(..whole);
                        requests
                    };
                    if let Some(arrivals) = &self.arrivals {
                        let now = std::iter::repeat_n(Instant::now(), requests);
                        arrivals.lock().unwrap_or_else(PoisonError::into_inner).extend(now);
                    }
                    // A client that does not read has no more answers coming to it.
                    let is_broken = !self.out.is_empty() && connection.stream.write_all(&self.out).is_err();
                    if !is_broken && read < self.buffer.len() && !ready.ended {
                        return;
                    }
                    is_broken
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => true,
            };
            if is_over {
                self.connections[at] = None;
                self.free.push(at);
                return;
            }
        }
    }
}

/// Appends the answers to the whole PDUs in `bytes`; how many bytes those are, and how many of them requests.
fn answer(canned: &Canned, port: u16, bytes: &[u8], out: &mut Vec<u8>) -> (usize, usize) {
    let (mut at, mut requests) = (0, 0);
    while let Some(length) = PduView(&bytes[at..]).frag_length().map(usize::from).filter(|length| *length >= 16) {
        let Some(pdu) = bytes.get(at..at + length) else { break };
        at += length;
        if pdu[2] == Ptype::REQUEST.0 {
            requests += 1;
            let Some(answer) = pdu.get(IV_AT..IV_AT + 8).and_then(|iv| canned.answers.get(&key(iv))) else { continue };
            let start = out.len();
            out.extend_from_slice(answer);
            out[start + 12..start + 16].copy_from_slice(&pdu[12..16]);
        } else {
            // How a connection is opened is no secret of ours, and it happens seldom or is the same for all.
            let mut host = HostAssociation::new(HostConfig { port, ..HostConfig::default() });
            host.handle_bytes(pdu);
            out.extend(host.poll_transmit().unwrap_or_default());
        }
    }
    (at, requests)
}

/// Header, size and count of an NDR32 stub, and the version of the envelope.
const IV_AT: usize = 24 + 8 + 4;
const LISTENER: u64 = u64::MAX;
const BACKLOG: i32 = 4096;
/// What a host holds that Windows clients asked.
const TABLE: u32 = 50;
