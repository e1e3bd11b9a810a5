//! From a verified request to its handler.

use std::sync::Arc;

use base::Principal;
use wire::Reply;
use wire::model::ServiceModel;
use wire::serve::{Backend, Call, CredentialError, CrossOrigin, CrossOriginHeaders, FoundCredential};
use wire::value::Value;

use crate::access::{Asked, Facts};
use crate::admission::{Admission, Arrival};
use crate::identity::Caller;
use crate::ports::CrossOriginRules;
use crate::{BoxFuture, Ctx, Platform, store_error};

/// What a handler answers.
pub type Answer<'a> = BoxFuture<'a, Result<Reply, wire::Error>>;

/// A service; implemented by generated code.
pub trait Service: Send + Sync {
    /// Its model.
    fn model(&self) -> &'static ServiceModel;
    /// What is known of a resource of which something is asked, where a decision can depend on it.
    fn facts<'a>(
        &'a self,
        ctx: &'a Ctx,
        asked: Asked<'a>,
        resource: &'a str,
    ) -> BoxFuture<'a, Result<Facts, wire::Error>>;
    /// Admits the caller to the operation and handles it. The operation is the one that is numbered `operation` in the
    /// model.
    fn call<'a>(&'a self, ctx: &'a Ctx, operation: usize, input: Value) -> Answer<'a>;
}

/// All services behind one door.
pub struct Gateway {
    platform: Platform,
    admission: Admission,
    services: Vec<Arc<dyn Service>>,
    models: Vec<&'static ServiceModel>,
    public_hosts: Vec<String>,
    cross_origin: Option<Arc<dyn CrossOriginRules>>,
}

impl Gateway {
    /// The services behind one door.
    pub fn new(platform: Platform, admission: Admission, services: Vec<Arc<dyn Service>>) -> Self {
        let models = services.iter().map(|service| service.model()).collect();
        Self { platform, admission, services, models, public_hosts: Vec::new(), cross_origin: None }
    }

    /// Takes a host below one of these names for a bucket's. They are the names by which clients reach the server, without
    /// ports.
    #[must_use]
    pub fn with_public_hosts(self, public_hosts: Vec<String>) -> Self {
        Self { public_hosts, ..self }
    }

    /// Has `rules` say what pages of other origins may do.
    #[must_use]
    pub fn with_cross_origin(self, rules: Arc<dyn CrossOriginRules>) -> Self {
        Self { cross_origin: Some(rules), ..self }
    }
}

impl Backend for Gateway {
    type Caller = Caller;

    fn services(&self) -> &[&'static ServiceModel] {
        &self.models
    }

    fn now(&self) -> base::Timestamp {
        self.platform.clock.now()
    }

    fn request_id(&self) -> String {
        base::ids::uuid(&*self.platform.rng)
    }

    fn credential<'a>(
        &'a self,
        access_key_id: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FoundCredential<Caller>, CredentialError>> {
        Box::pin(self.admission.identities.credential(access_key_id, session_token))
    }

    fn is_secure(&self) -> bool {
        self.admission.is_secure
    }

    fn public_hosts(&self) -> &[String] {
        &self.public_hosts
    }

    fn cross_origin<'a>(&'a self, asked: CrossOrigin<'a>) -> BoxFuture<'a, Result<CrossOriginHeaders, wire::Error>> {
        match &self.cross_origin {
            Some(rules) => rules.cross_origin(self.models[asked.service], asked),
            None => Box::pin(std::future::ready(Ok(CrossOriginHeaders::new()))),
        }
    }

    fn anonymous(&self) -> Option<Caller> {
        Some(Caller { access_key_id: String::new(), principal: Principal::anonymous(), session: None })
    }

    fn call(&self, call: Call<Caller>) -> BoxFuture<'_, Result<Reply, wire::Error>> {
        Box::pin(async move {
            let model = self.models[call.service];
            let (service, operation) = (call.service, call.operation);
            let input = call.decode(model);
            let arrival = Arrival {
                request_id: call.request_id,
                region: call.region,
                host: call.host,
                now: call.now,
                source_ip: call.source_ip,
                user_agent: call.user_agent,
                referer: call.referer,
                protocol: call.protocol,
                is_form: call.is_form,
                signing: call.signing,
            };
            let ctx = self.admission.signed(call.caller, arrival).await.map_err(|error| store_error(&error))?;
            self.platform.keys.note_use(&ctx, model.signing_name);
            self.services[service].call(&ctx, operation, input?).await
        })
    }
}
