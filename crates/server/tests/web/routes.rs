//! The routes, parsed from `src/routes.rs`, so that new routes are tested automatically.

use reqwest::Method;

/// A route from `src/routes.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// The path below the issuer's path.
    pub path: &'static str,
}

impl Route {
    /// A path that matches this route.
    pub fn example(&self) -> String {
        self.path.replace("{file:.*}", "index.html")
    }

    /// The expected `Allow` header.
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
    assert!(routes.len() >= 13, "src/routes.rs is not in the expected format: {routes:?}");
    routes
}

/// The routes with this method.
pub fn with(method: Method) -> impl Iterator<Item = Route> {
    all().into_iter().filter(move |route| route.method == method)
}
