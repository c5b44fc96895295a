//! Faults between the server and PostgreSQL: the wire breaks before a question, before its answer, or for a while.

use std::net::{SocketAddr, ToSocketAddrs};

use ficha_store::testing::TestDatabase;
use url::Url;

use crate::report::{Point, Report, is_full, is_wanted, places};
use crate::script::{Cast, finish, play};
use crate::server::{Place, say};
use crate::wire::{Break, Moment, Side, Wire};

/// A kind of fault: its name, what breaks, and where the short form tries it, in hundredths of all messages.
struct Fault {
    name: &'static str,
    side: Side,
    moment: Moment,
    stays: bool,
    hundredths: &'static [u64],
}

const FAULTS: [Fault; 5] = [
    Fault {
        name: "the wire breaks before a question",
        side: Side::Client,
        moment: Moment::Before,
        stays: false,
        hundredths: &[45],
    },
    Fault {
        name: "the wire breaks after a question",
        side: Side::Client,
        moment: Moment::After,
        stays: false,
        hundredths: &[20, 65],
    },
    Fault {
        name: "the wire breaks before an answer",
        side: Side::Server,
        moment: Moment::Before,
        stays: false,
        hundredths: &[50],
    },
    Fault {
        name: "the wire breaks after an answer",
        side: Side::Server,
        moment: Moment::After,
        stays: false,
        hundredths: &[70],
    },
    Fault {
        name: "the wire stays broken after a question",
        side: Side::Client,
        moment: Moment::After,
        stays: true,
        hundredths: &[35],
    },
];

/// Tries each fault, at some places or at all.
pub fn sweep() {
    let Some(database) = database() else { return };
    let place = Place::new().with("FICHA__STORE__URL", database.url());
    let direct = Url::parse(database.url()).unwrap();
    let target = address_of(&direct);

    let mut report = Report::new("A wire to PostgreSQL that breaks");
    let mut tried = 0;
    let wire = Wire::to(target);
    let point = run(&place, &direct, &wire, &Cast::of(tried), None, true);
    let seen = |side| wire.seen(side);
    let (questions, answers) = (seen(Side::Client), seen(Side::Server));
    say(&format!("without a fault, the script takes {questions} messages of the client and {answers} of the server"));
    assert!(questions > 0, "the wire sees nothing");
    report.add("none", "nowhere", point);

    let mut hits = 0;
    for fault in FAULTS.iter().filter(|fault| is_wanted(fault.name)) {
        let most = seen(fault.side);
        for at in places(most, fault.hundredths) {
            tried += 1;
            let purge = tried % 2 == 1;
            let plan = Break { side: fault.side, moment: fault.moment, at, stays: fault.stays };
            let point = run(&place, &direct, &Wire::to(target), &Cast::of(tried), Some(plan), purge);
            hits += point.hits;
            if is_full() {
                let (lost, wrong, healed) = (point.compared.lost.len(), point.wrong.len(), point.healed);
                say(&format!("{}: {at} of {most}: {lost} lost, {wrong} wrong, well again: {healed:?}", fault.name));
            }
            report.add(fault.name, &format!("message {at} of {most}, purge: {purge}"), point);
        }
    }
    report.finish();
    assert!(tried == 0 || hits > 0, "the wire never broke");
}

/// A migrated database; `None`, after saying so, where there is no PostgreSQL.
pub fn database() -> Option<TestDatabase> {
    tokio::runtime::Runtime::new().unwrap().block_on(TestDatabase::postgres())
}

/// One start behind this wire, one script, one fault. Commands go to the database directly.
fn run(place: &Place, direct: &Url, wire: &Wire, cast: &Cast, plan: Option<Break>, purge: bool) -> Point {
    cast.prepare(place);
    let mut url = direct.clone();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(wire.address().port())).unwrap();
    // The wire reads what goes over it.
    url.set_query(Some("sslmode=disable"));
    let server = place.serve(&[("FICHA__STORE__URL", url.as_str())]);
    wire.arm(plan);
    let facts = play(place, server.address, cast, purge);
    wire.mend();
    let mut point = finish(place, server, cast, facts);
    point.hits = wire.hits();
    point
}

fn address_of(url: &Url) -> SocketAddr {
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
    (host, port).to_socket_addrs().unwrap().next().unwrap()
}
