//! A protected hello over HTTP, compared with an unprotected one and with other libraries.

use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::Options;
use super::peers::{self, Peer};
use super::tokens::Mint;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Caller, Connection, drive, get_request};
use crate::result::{Figure, Rounds, Row, show};

const CALLERS: usize = 64;
/// How many tokens are sent in turn.
const TOKENS: usize = 1_000;

/// Gets one path repeatedly, each time with the next token.
struct Hello {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
}

impl Caller for Hello {
    async fn call(&mut self) -> Outcome<bool> {
        let request = &self.requests[self.next % self.requests.len()];
        self.next += 1;
        match self.connection.send(request).await?.status {
            200 => Ok(true),
            status => Err(format!("a hello got {status}").into()),
        }
    }
}

/// All alternate, round by round, so that other load on the machine affects all.
pub async fn run(options: &Options) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let (jwk, key_set) = (folder.path().join("jwk.json"), folder.path().join("jwks.json"));
    let mint = Mint::new()?;
    std::fs::write(&jwk, serde_json::to_vec(&mint.jwk()?)?)?;
    std::fs::write(&key_set, mint.key_set()?)?;
    let tokens = mint.tokens(TOKENS)?;
    let (open, protected) = (requests("/hello", &tokens), requests("/protected", &tokens));

    let mut command = Command::new(std::env::current_exe()?);
    command.arg("hello").arg("--jwk").arg(&jwk);
    let ours = ServerProcess::spawn(command).await?;
    let others = if options.without_peers { Vec::new() } else { peers::start(&key_set).await? };
    // Before the first round, every token is warm and every connection's memory is allocated.
    hellos(&ours, &protected, Duration::from_secs(1)).await?;
    let mut seen = Seen { open: Vec::new(), ours: Vec::new(), others: others.iter().map(|_| Vec::new()).collect() };
    for _ in 0..options.rounds {
        let length = Duration::from_millis(options.milliseconds);
        seen.open.push(hellos(&ours, &open, length).await?);
        seen.ours.push(hellos(&ours, &protected, length).await?);
        for (peer, seen) in others.iter().zip(&mut seen.others) {
            seen.push(hellos(&peer.server, &protected, length).await?);
        }
    }
    ours.stop().await?;
    let rows = seen.rows(&others);
    for peer in others {
        peer.server.stop().await?;
    }
    Ok(rows)
}

fn requests(path: &str, tokens: &[String]) -> Arc<Vec<Vec<u8>>> {
    let request = |token| get_request(path, Some(&format!("Bearer {token}"))).into_bytes();
    Arc::new(tokens.iter().map(request).collect())
}

async fn hellos(server: &ServerProcess, requests: &Arc<Vec<Vec<u8>>>, length: Duration) -> Outcome<Figure> {
    let mut callers = Vec::with_capacity(CALLERS);
    for index in 0..CALLERS {
        let connection = Connection::open(server.address).await?;
        callers.push(Hello { connection, requests: Arc::clone(requests), next: index * TOKENS / CALLERS });
    }
    Ok(drive(server, callers, length).await?.0)
}

/// The figures of all rounds.
struct Seen {
    open: Vec<Figure>,
    ours: Vec<Figure>,
    others: Vec<Vec<Figure>>,
}

impl Seen {
    fn rows(&self, peers: &[Peer]) -> Vec<Row> {
        let open = Row::load("Unprotected hello, the same header sent, 64 callers", Figure::typical(&self.open));
        let ratio = ratio(&self.ours, &self.open);
        let ours =
            spread(Row::load("Protected hello, warm tokens, 64 callers", Figure::typical(&self.ours)), &self.ours)
                .ratio("CPU of the unprotected", &ratio)
                .asked("at most 1.15 × the CPU of the unprotected", ratio.median <= 1.15);
        let mut rows = vec![show(spread(open, &self.open)), show(ours)];
        for (peer, seen) in peers.iter().zip(&self.others) {
            rows.push(show(self.peer_row(peer.name, seen)));
        }
        rows
    }

    fn peer_row(&self, name: &str, seen: &[Figure]) -> Row {
        let ratio = ratio(seen, &self.ours);
        spread(Row::load(&format!("Protected hello, {name}, 64 callers"), Figure::typical(seen)), seen)
            .ratio("CPU of ours", &ratio)
            .asked("ours takes at least 4 times fewer CPU", ratio.median >= 4.0)
    }
}

fn spread(row: Row, seen: &[Figure]) -> Row {
    let cpu = Rounds::of(seen.iter().map(|figure| figure.cpu_us).collect());
    row.with("least CPU of a round", cpu.least, "µs").with("most", cpu.most, "µs")
}

/// The ratio of the CPU times, in each round.
fn ratio(seen: &[Figure], other: &[Figure]) -> Rounds {
    Figure::ratio(seen, other, |figure| figure.cpu_us)
}
