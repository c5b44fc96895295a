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

/// Every operation of the admin API: method and path, parsed from `src/api/mod.rs`. Its own tests are in `tests/admin`.
pub fn of_the_admin_api() -> Vec<(String, String)> {
    let mut operations = Vec::new();
    for line in include_str!("../../src/api/mod.rs").lines() {
        let Some((_, rest)) = line.split_once("resource(\"") else { continue };
        let (path, rest) = rest.split_once('"').expect("the path ends on its line");
        let methods = rest.split('"').nth(1).expect("the methods stand behind it");
        let methods = methods.split(", ").filter(|method| *method != "HEAD");
        operations.extend(methods.map(|method| (method.to_owned(), format!("/api/v1{path}"))));
    }
    assert!(operations.len() >= 4, "src/api/mod.rs is not in the expected format: {operations:?}");
    operations
}

/// The routes with this method.
pub fn with(method: Method) -> impl Iterator<Item = Route> {
    all().into_iter().filter(move |route| route.method == method)
}
