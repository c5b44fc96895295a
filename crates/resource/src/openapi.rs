//! Security schemes for a service's OpenAPI description, so that the Authorize button of Swagger UI works.

use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{
    Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityRequirement, SecurityScheme,
};

use crate::http_bearer::HttpBearer;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;

impl OAuth2PasswordBearer {
    /// The name of the security scheme, for `security(("OAuth2PasswordBearer" = ["notes:read"]))` on a handler.
    pub const SCHEME: &'static str = "OAuth2PasswordBearer";

    /// The password flow with its token URL, refresh URL and scopes; a plain bearer token if no token URL is known.
    pub fn security_scheme(&self) -> SecurityScheme {
        let description = self.description();
        let Some(token_url) = &description.token_url else { return bearer_token() };
        let scopes = Scopes::from_iter(description.scopes.iter().cloned());
        // RFC 6749 §6: tokens are refreshed at the token endpoint, too.
        let flow = Password::with_refresh_url(token_url, scopes, token_url);
        SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)]))
    }

    /// Adds the security scheme `OAuth2PasswordBearer` to a description. The token URL is missing while the metadata has
    /// not been read, so build the description on each request.
    ///
    /// ```
    /// use ficha_resource::{OAuth2PasswordBearer, TestIssuer};
    /// use utoipa::OpenApi;
    ///
    /// #[utoipa::path(
    ///     get,
    ///     path = "/notes",
    ///     security(("OAuth2PasswordBearer" = ["notes:read"])),
    ///     responses((status = 200))
    /// )]
    /// async fn notes() {}
    ///
    /// #[derive(OpenApi)]
    /// #[openapi(paths(notes))]
    /// struct Notes;
    ///
    /// # let oauth2 = TestIssuer::new().oauth2();
    /// let mut description = Notes::openapi();
    /// oauth2.modify(&mut description);
    /// let json = serde_json::to_value(&description).unwrap();
    /// let flow = &json["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]["password"];
    /// assert_eq!(flow["tokenUrl"], "https://issuer.test/token");
    /// ```
    ///
    /// It is also utoipa's [`Modify`], for `#[openapi(modifiers(…))]`.
    pub fn modify(&self, openapi: &mut OpenApi) {
        add(openapi, Self::SCHEME.to_owned(), self.security_scheme());
    }

    /// The security requirement of a handler or a whole service: a token with these scopes.
    pub fn security_requirement<'s>(&self, scopes: impl IntoIterator<Item = &'s str>) -> SecurityRequirement {
        SecurityRequirement::new(Self::SCHEME, scopes)
    }
}

impl HttpBearer {
    /// The name of the security scheme, for `security(("HttpBearer" = []))` on a handler.
    pub const SCHEME: &'static str = "HttpBearer";

    /// A JWT as bearer token, without saying where to obtain one.
    pub fn security_scheme(&self) -> SecurityScheme {
        bearer_token()
    }

    /// Adds the security scheme `HttpBearer` to a description.
    pub fn modify(&self, openapi: &mut OpenApi) {
        add(openapi, Self::SCHEME.to_owned(), self.security_scheme());
    }

    /// The security requirement of a handler or a whole service. In OpenAPI 3.1, scope names here are role names.
    pub fn security_requirement<'s>(&self, scopes: impl IntoIterator<Item = &'s str>) -> SecurityRequirement {
        SecurityRequirement::new(Self::SCHEME, scopes)
    }
}

impl Issuers {
    /// Adds one security scheme per issuer: `OAuth2PasswordBearer`, `OAuth2PasswordBearer2` and so on.
    pub fn modify(&self, openapi: &mut OpenApi) {
        for (position, bearer) in self.bearers().enumerate() {
            let number = if position == 0 { String::new() } else { (position + 1).to_string() };
            add(openapi, format!("{}{number}", OAuth2PasswordBearer::SCHEME), bearer.security_scheme());
        }
    }
}

// The methods are inherent, so that a service needs no `use` of the trait.
impl Modify for OAuth2PasswordBearer {
    fn modify(&self, openapi: &mut OpenApi) {
        self.modify(openapi);
    }
}

impl Modify for HttpBearer {
    fn modify(&self, openapi: &mut OpenApi) {
        self.modify(openapi);
    }
}

impl Modify for Issuers {
    fn modify(&self, openapi: &mut OpenApi) {
        self.modify(openapi);
    }
}

fn bearer_token() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build())
}

fn add(openapi: &mut OpenApi, name: String, scheme: SecurityScheme) {
    openapi.components.get_or_insert_with(Default::default).add_security_scheme(name, scheme);
}
