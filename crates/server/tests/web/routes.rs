//! The routes, read off the one page that lists them: a new one is tested without being named here.

use reqwest::Method;

/// A route as `src/routes.rs` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// Below the issuer's path.
    pub path: &'static str,
}

impl Route {
    /// A path that this route answers.
    pub fn example(&self) -> String {
        self.path.replace("{file:.*}", "index.html")
    }

    /// What `Allow` must say.
    pub fn allow(&self) -> &'static str {
        match self.path {
            "/denylist" => "GET",
            _ if self.method == Method::GET => "GET, HEAD",
            _ => "POST",
        }
    }
}

/// Every route.
pub fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    for line in include_str!("../../src/routes.rs").lines() {
        for (call, method) in [("get(\"", Method::GET), ("poll(\"", Method::GET), ("post(\"", Method::POST)] {
            let Some((_, rest)) = line.split_once(call) else { continue };
            let (path, _) = rest.split_once('"').expect("the path ends on its line");
            let route = Route { method, path };
            if !routes.contains(&route) {
                routes.push(route);
            }
        }
    }
    assert!(routes.len() >= 13, "src/routes.rs is written in another way than this reads it: {routes:?}");
    routes
}

/// The routes with this method.
pub fn with(method: Method) -> impl Iterator<Item = Route> {
    all().into_iter().filter(move |route| route.method == method)
}
