//! Faults between the server and PostgreSQL: the connection breaks before a query, before its answer, or for a while.

use std::net::{SocketAddr, ToSocketAddrs};

use ficha_store::testing::TestDatabase;
use url::Url;

use crate::proxy::{Break, Moment, Proxy, Side};
use crate::report::{Point, Report, is_full, is_wanted, points};
use crate::script::{Actors, check, play};
use crate::server::{Place, say};

/// A kind of fault: its name, what breaks, and the points of the short form, in hundredths of all messages.
struct Fault {
    name: &'static str,
    side: Side,
    moment: Moment,
    stays: bool,
    hundredths: &'static [u64],
}

const FAULTS: [Fault; 5] = [
    Fault {
        name: "the connection breaks before a query",
        side: Side::Client,
        moment: Moment::Before,
        stays: false,
        hundredths: &[45],
    },
    Fault {
        name: "the connection breaks after a query",
        side: Side::Client,
        moment: Moment::After,
        stays: false,
        hundredths: &[20, 65],
    },
    Fault {
        name: "the connection breaks before an answer",
        side: Side::Server,
        moment: Moment::Before,
        stays: false,
        hundredths: &[50],
    },
    Fault {
        name: "the connection breaks after an answer",
        side: Side::Server,
        moment: Moment::After,
        stays: false,
        hundredths: &[70],
    },
    Fault {
        name: "the connection stays broken after a query",
        side: Side::Client,
        moment: Moment::After,
        stays: true,
        hundredths: &[35],
    },
];

/// Tries each fault, at some points or at all.
pub fn sweep() {
    let Some(database) = database() else { return };
    let place = Place::new().with("FICHA__STORE__URL", database.url());
    let direct = Url::parse(database.url()).unwrap();
    let target = address_of(&direct);

    let mut report = Report::new("A broken connection to PostgreSQL");
    let mut tried = 0;
    let proxy = Proxy::to(target);
    let point = run(&place, &direct, &proxy, &Actors::of(tried), None, true);
    let seen = |side| proxy.seen(side);
    let (queries, answers) = (seen(Side::Client), seen(Side::Server));
    say(&format!("without a fault, the script needs {queries} messages from the client and {answers} from the server"));
    assert!(queries > 0, "no messages passed the proxy");
    report.add("none", "-", point);

    let mut hits = 0;
    for fault in FAULTS.iter().filter(|fault| is_wanted(fault.name)) {
        let most = seen(fault.side);
        for at in points(most, fault.hundredths) {
            tried += 1;
            let purge = tried % 2 == 1;
            let plan = Break { side: fault.side, moment: fault.moment, at, stays: fault.stays };
            let point = run(&place, &direct, &Proxy::to(target), &Actors::of(tried), Some(plan), purge);
            hits += point.hits;
            if is_full() {
                let (lost, wrong, recovered) = (point.compared.lost.len(), point.wrong.len(), point.recovery);
                say(&format!("{}: {at} of {most}: {lost} lost, {wrong} wrong, recovered: {recovered:?}", fault.name));
            }
            report.add(fault.name, &format!("message {at} of {most}, purge: {purge}"), point);
        }
    }
    report.finish();
    assert!(tried == 0 || hits > 0, "the connection never broke");
}

/// A migrated database. Without PostgreSQL, reports that the test is skipped and returns `None`.
pub fn database() -> Option<TestDatabase> {
    tokio::runtime::Runtime::new().unwrap().block_on(TestDatabase::postgres())
}

/// One start through this proxy, one script, one fault. Commands connect to the database directly.
fn run(place: &Place, direct: &Url, proxy: &Proxy, actors: &Actors, plan: Option<Break>, purge: bool) -> Point {
    actors.prepare(place);
    let mut url = direct.clone();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    // The proxy reads the messages, so they must not be encrypted.
    url.set_query(Some("sslmode=disable"));
    let server = place.serve(&[("FICHA__STORE__URL", url.as_str())]);
    proxy.arm(plan);
    let facts = play(place, server.address, actors, purge);
    proxy.restore();
    let mut point = check(place, server, actors, facts);
    point.hits = proxy.hits();
    point
}

fn address_of(url: &Url) -> SocketAddr {
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
    (host, port).to_socket_addrs().unwrap().next().unwrap()
}
