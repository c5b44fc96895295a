//! The methods of [`BearerGuard`] on the values that a service keeps.

use super::error_body::ErrorBody;
use super::guard::BearerGuard;
use super::middleware::RequireScopes;
use crate::http_bearer::HttpBearer;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;

macro_rules! guards {
    ($($bearer:ty),+) => {$(
        impl $bearer {
            /// Middleware that requires a valid token with this scope.
            ///
            /// ```
            /// # use actix_web::{App, web};
            /// # use ficha_resource::TestIssuer;
            /// # let oauth2 = TestIssuer::new().oauth2();
            /// App::new()
            ///     .app_data(oauth2.clone())
            ///     .service(web::scope("/admin").wrap(oauth2.require("notes:admin")));
            /// ```
            ///
            /// # Panics
            /// If it is not one scope name (RFC 6749 §3.3): no token could have it.
            #[track_caller]
            pub fn require(&self, scope: impl Into<String>) -> RequireScopes {
                BearerGuard::from(self).require(scope)
            }

            /// Middleware that requires a valid token with all of these scopes.
            ///
            /// # Panics
            /// If one is not a scope name.
            #[track_caller]
            pub fn require_all(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
                BearerGuard::from(self).require_all(scopes)
            }

            /// Middleware that requires a valid token with at least one of these scopes.
            ///
            /// # Panics
            /// If one is not a scope name, or if there is none.
            #[track_caller]
            pub fn require_any(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
                BearerGuard::from(self).require_any(scopes)
            }

            /// Middleware that requires a valid token with this role.
            ///
            /// # Panics
            /// If it is not one word of printable ASCII: no token could have it.
            #[track_caller]
            pub fn require_role(&self, role: impl Into<String>) -> RequireScopes {
                BearerGuard::from(self).require_role(role)
            }

            /// Middleware that requires a valid token with at least one of these roles.
            ///
            /// # Panics
            /// If one is not one word of printable ASCII, or if there is none.
            #[track_caller]
            pub fn require_any_role(&self, roles: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
                BearerGuard::from(self).require_any_role(roles)
            }

            /// Middleware that requires a valid token, whatever its scope.
            pub fn require_token(&self) -> RequireScopes {
                BearerGuard::from(self).require_token()
            }

            /// The same with custom error bodies, as a value for `App::app_data`.
            pub fn error_body(&self, body: ErrorBody) -> BearerGuard {
                BearerGuard::from(self).error_body(body)
            }
        }
    )+};
}

guards!(OAuth2PasswordBearer, HttpBearer, Issuers);
