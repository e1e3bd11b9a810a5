//! Function URLs: addresses at which a function answers HTTP.

use base::{AccountId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx};

use crate::api::{self, Cors, FunctionUrlAuthType, InvokeMode};
use crate::names::{FunctionName, Target};
use crate::{Error, Lambda, describe};

/// How many letters and digits the first label of an address has.
const ID_CHARS: usize = 32;
/// The letters and digits.
const ID_LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The address of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionUrl {
    /// The first label of its host.
    pub id: String,
    /// Whether callers have to sign.
    pub is_signed: bool,
    /// Whether answers are handed on while they are made.
    pub streams: bool,
    /// What pages of other origins may do.
    pub cors: Option<CorsRules>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// What pages of other origins may do with an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorsRules {
    /// Whether with the person's credentials.
    pub allow_credentials: Option<bool>,
    /// The headers that they may send.
    pub allow_headers: Option<Vec<String>>,
    /// By which methods.
    pub allow_methods: Option<Vec<String>>,
    /// Whose pages.
    pub allow_origins: Option<Vec<String>>,
    /// The headers that they may see.
    pub expose_headers: Option<Vec<String>>,
    /// For how long a browser may remember it, in seconds.
    pub max_age_s: Option<u32>,
}

/// Whose an address is. Its record is the installation's, and its id is the first label of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlName {
    /// Whose the function is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Its name.
    pub function: String,
    /// Its id: of another one of the same name the address says nothing.
    pub uid: String,
    /// The alias, or `$LATEST`.
    pub qualifier: String,
}

impl Record for UrlName {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "url";
}

impl UrlName {
    /// Notes whose an address is.
    pub(crate) fn insert(tx: &mut Tx, id: &str, target: &Target, uid: &str) {
        let name = Self {
            account: target.function.account,
            region: target.function.region.clone(),
            function: target.function.name.clone(),
            uid: uid.to_owned(),
            qualifier: target.qualifier().to_owned(),
        };
        tx.insert(&Scope::system(), &[id], &name);
    }

    /// What answers there.
    pub fn target(&self) -> Target {
        let (account, region) = (self.account, self.region.clone());
        let qualifier = (self.qualifier != crate::names::LATEST).then(|| self.qualifier.clone());
        Target { function: FunctionName { account, region, name: self.function.clone() }, qualifier }
    }
}

/// A new address's first label.
pub(crate) fn new_id(lambda: &Lambda) -> String {
    let mut bytes = [0; ID_CHARS];
    lambda.platform.rng.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte & 31)])).collect()
}

/// The error where there is no address.
pub(crate) fn none() -> Error {
    Error::NotFound("The resource you requested does not exist.".to_owned())
}

/// The error of a function that is not there, as these operations have it.
pub(crate) fn no_function(error: Error) -> Error {
    match error {
        Error::FunctionNotFound(_) => Error::NotFound("Function does not exist".to_owned()),
        other => other,
    }
}

impl CorsRules {
    /// What a request says.
    pub(crate) fn of(said: Cors) -> Self {
        Self {
            allow_credentials: said.allow_credentials,
            allow_headers: said.allow_headers,
            allow_methods: said.allow_methods,
            allow_origins: said.allow_origins,
            expose_headers: said.expose_headers,
            max_age_s: said.max_age.and_then(|age| u32::try_from(age).ok()),
        }
    }

    fn describe(&self) -> Cors {
        Cors {
            allow_credentials: self.allow_credentials,
            allow_headers: self.allow_headers.clone(),
            allow_methods: self.allow_methods.clone(),
            allow_origins: self.allow_origins.clone(),
            expose_headers: self.expose_headers.clone(),
            max_age: self.max_age_s.and_then(|age| i32::try_from(age).ok()),
        }
    }
}

impl FunctionUrl {
    /// The interface's word for whether callers have to sign.
    pub fn auth_type(&self) -> FunctionUrlAuthType {
        if self.is_signed { FunctionUrlAuthType::AwsIam } else { FunctionUrlAuthType::None }
    }

    /// As operations answer it, of this function or alias.
    pub(crate) fn describe(&self, lambda: &Lambda, target: &Target, is_secure: bool) -> api::FunctionUrlConfig {
        let scheme = if is_secure { "https" } else { "http" };
        let (region, host) = (&target.function.region, &lambda.settings.url_host);
        api::FunctionUrlConfig {
            auth_type: self.auth_type(),
            cors: self.cors.as_ref().map(CorsRules::describe),
            creation_time: describe::date(self.created),
            function_arn: target.arn(),
            function_url: format!("{scheme}://{}.lambda-url.{region}.{host}/", self.id),
            invoke_mode: Some(if self.streams { InvokeMode::ResponseStream } else { InvokeMode::Buffered }),
            last_modified_time: describe::date(self.modified),
        }
    }
}
