//! A client, as it is typed into a form.

use ficha_authority::{ClientChange, ClientScopes, Grant, NewClient};

use crate::pages::answer::PageError;
use crate::pages::console::users::typed_scopes;
use crate::request::form::Form;

/// What a form says about a client.
pub struct Typed {
    pub id: String,
    /// `None` if the form does not say: then a client stays what it is.
    pub is_public: Option<bool>,
    pub grants: Vec<Grant>,
    pub scopes: ClientScopes,
    pub audience: Option<String>,
    pub serves: Vec<String>,
    pub forwards_address: bool,
    pub own_scopes: bool,
}

impl Typed {
    /// Reads it. `None` if its scopes can't be scopes.
    pub fn of(form: &Form) -> Result<Option<Self>, PageError> {
        let has = |name: &str| form.get(name) == Some("yes");
        let grants = [Grant::Password, Grant::RefreshToken, Grant::ClientCredentials];
        let grants = grants.into_iter().filter(|grant| has(&format!("grant-{}", grant.as_str())));
        let words = |name: &str| form.get(name).unwrap_or_default().split_whitespace().map(str::to_owned);
        let scopes = match has("any_scope") {
            true => ClientScopes::Any,
            false => match typed_scopes(form.get("scopes").unwrap_or_default()) {
                Some(scopes) => ClientScopes::Only(scopes),
                None => return Ok(None),
            },
        };
        Ok(Some(Self {
            id: form.get("id").unwrap_or_default().trim().to_owned(),
            is_public: match form.get("kind") {
                Some("public") => Some(true),
                Some("confidential") => Some(false),
                None => None,
                Some(_) => return Err(PageError::invalid("kind")),
            },
            grants: grants.collect(),
            scopes,
            audience: form.get("audience").map(|audience| audience.trim().to_owned()),
            serves: words("serves").collect(),
            forwards_address: has("forwards_address"),
            own_scopes: has("own_scopes"),
        }))
    }

    /// True if it could administer: then it is asked who is there.
    pub fn may_administer(&self) -> bool {
        let named =
            matches!(&self.scopes, ClientScopes::Only(scopes) if scopes.iter().any(|name| name.starts_with("ficha:")));
        self.own_scopes || named
    }

    /// The client to be created.
    pub fn new_client(self) -> NewClient {
        NewClient {
            id: self.id,
            public: self.is_public == Some(true),
            grants: self.grants,
            scopes: self.scopes,
            audience: self.audience,
            serves: self.serves,
            forwards_address: self.forwards_address,
            own_scopes: self.own_scopes,
        }
    }

    /// The change of a client that is there.
    pub fn change(self) -> ClientChange {
        ClientChange {
            public: self.is_public,
            grants: Some(self.grants),
            scopes: Some(self.scopes),
            audience: Some(self.audience),
            serves: Some(self.serves),
            forwards_address: Some(self.forwards_address),
            own_scopes: Some(self.own_scopes),
        }
    }
}
