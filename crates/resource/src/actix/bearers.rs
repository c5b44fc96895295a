//! What a guard can do, on the values that a service holds.

use super::error_body::ErrorBody;
use super::guard::BearerGuard;
use super::middleware::RequireScopes;
use crate::http_bearer::HttpBearer;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;

macro_rules! guards {
    ($($bearer:ty),+) => {$(
        impl $bearer {
            /// A middleware that lets a request pass if its token has this scope.
            ///
            /// ```
            /// # use actix_web::{App, web};
            /// # use ficha_resource::TestIssuer;
            /// # let oauth2 = TestIssuer::new().oauth2();
            /// App::new()
            ///     .app_data(oauth2.clone())
            ///     .service(web::scope("/admin").wrap(oauth2.require("notes:admin")));
            /// ```
            pub fn require(&self, scope: impl Into<String>) -> RequireScopes {
                BearerGuard::from(self).require(scope)
            }

            /// A middleware that lets a request pass if its token has each of these scopes.
            pub fn require_all(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
                BearerGuard::from(self).require_all(scopes)
            }

            /// A middleware that lets a request pass if its token has one of these scopes. Of an empty list it has none.
            pub fn require_any(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
                BearerGuard::from(self).require_any(scopes)
            }

            /// A middleware that lets a request pass if its token is good, whatever its scope.
            pub fn require_token(&self) -> RequireScopes {
                BearerGuard::from(self).require_token()
            }

            /// The same with error bodies of its own, as a value for the application's data.
            pub fn error_body(&self, body: ErrorBody) -> BearerGuard {
                BearerGuard::from(self).error_body(body)
            }
        }
    )+};
}

guards!(OAuth2PasswordBearer, HttpBearer, Issuers);
