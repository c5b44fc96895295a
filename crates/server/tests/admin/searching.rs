//! Searching among many sessions: pages that look at a bounded number, and go on where they stopped.

use std::collections::HashSet;

use ficha_store::testing::TestDatabase;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

/// More than a page looks at, and than a count does.
const SESSIONS: usize = 12_000;

ficha_store::on_both_databases! {
    async fn what_few_sessions_fit_is_found_page_by_page_in_both_directions(database: TestDatabase) {
        let app = app(&database).await;
        let model = app.login("alice").await;
        copy_session(&database, session_of(&model), SESSIONS).await;
        // Three of the oldest ids, and two of the newest.
        let mut rare = HashSet::new();
        for (order, count) in [("ASC", 3), ("DESC", 2)] {
            let some = format!("SELECT id FROM sessions ORDER BY id {order} LIMIT {count}");
            let changed = format!("UPDATE sessions SET user_agent = 'Rare/1' WHERE id IN ({some})");
            assert_eq!(database.raw().await.execute(&changed).await, count);
        }
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let filter = "client=first-party&user_agent=rare";
        let mut pages = Vec::new();
        let mut after = String::new();
        loop {
            let page = good(&app, Method::GET, &format!("/sessions?{filter}{after}&limit=10"), &chief).await;
            for id in ids(&page) {
                assert!(rare.insert(id), "twice");
            }
            let next = page["next"].as_str().map(str::to_owned);
            pages.push(page);
            match next {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!((rare.len(), pages.len()), (5, 2));
        assert_eq!((&pages[0]["scanned"], &pages[1]["scanned"]), (&json!(8_000), &Value::Null));
        assert_eq!(ids(&pages[0]).len(), 2);
        // And back.
        let before = pages[1]["previous"].as_str().expect("there are newer ones");
        let back = good(&app, Method::GET, &format!("/sessions?{filter}&before={before}&limit=10"), &chief).await;
        let further = back["previous"].as_str().map(str::to_owned);
        let mut seen: HashSet<_> = ids(&back).into_iter().collect();
        if let Some(before) = further {
            let page = good(&app, Method::GET, &format!("/sessions?{filter}&before={before}&limit=10"), &chief).await;
            seen.extend(ids(&page));
        }
        assert!(ids(&pages[0]).iter().all(|id| seen.contains(id)), "{seen:?}");
        // Without a filter that has no index, a page is full, and says where the next begins.
        let page = good(&app, Method::GET, "/sessions?client=first-party&limit=200", &chief).await;
        assert!(ids(&page).len() == 200 && page["next"].is_string() && page.get("scanned").is_none());
        let counted = async |filter: &str| {
            good(&app, Method::GET, &format!("/sessions?{filter}&count=only"), &chief).await["count"].clone()
        };
        assert_eq!(counted(filter).await, json!({ "at_least": 2 }));
        assert_eq!(counted("client=first-party").await, json!(SESSIONS + 1));
        assert_eq!(counted("client=first-party&state=live").await, json!(SESSIONS + 1));
        assert_eq!(counted("client=first-party&state=expired").await, json!(0));
        assert_eq!(counted("user=alice&refreshed_after=2000-01-01T00:00:00Z").await, json!(SESSIONS + 1));
    }
}
