//! From a verified request to its handler.

use std::sync::Arc;

use base::Principal;
use wire::Reply;
use wire::model::ServiceModel;
use wire::serve::{Backend, Call, CredentialError, FoundCredential};
use wire::value::Value;

use crate::access::Facts;
use crate::denials::Denials;
use crate::identity::{Caller, Identities};
use crate::ports::PolicyDirectory;
use crate::rights::Rights;
use crate::{BoxFuture, Ctx, Platform, store_error};

/// What a handler answers.
pub type Answer<'a> = BoxFuture<'a, Result<Reply, wire::Error>>;

/// A service; implemented by generated code.
pub trait Service: Send + Sync {
    /// Its model.
    fn model(&self) -> &'static ServiceModel;
    /// What is known of a resource that `action` is asked on, where a decision can depend on it.
    fn facts<'a>(
        &'a self,
        ctx: &'a Ctx,
        action: &'static str,
        resource: &'a str,
    ) -> BoxFuture<'a, Result<Facts, wire::Error>>;
    /// Admits the caller to the operation and handles it. The operation is the one that is numbered `operation` in the
    /// model.
    fn call<'a>(&'a self, ctx: &'a Ctx, operation: usize, input: Value) -> Answer<'a>;
}

/// All services behind one door.
pub struct Gateway {
    platform: Platform,
    identities: Arc<Identities>,
    services: Vec<Arc<dyn Service>>,
    models: Vec<&'static ServiceModel>,
    policies: Arc<dyn PolicyDirectory>,
    denials: Arc<Denials>,
    is_secure: bool,
}

/// What a gateway is made of, beside its services.
pub struct GatewayParts {
    /// The platform.
    pub platform: Platform,
    /// Who signs.
    pub identities: Arc<Identities>,
    /// What callers may do.
    pub policies: Arc<dyn PolicyDirectory>,
    /// Where denials are written down.
    pub denials: Arc<Denials>,
    /// Whether connections are encrypted.
    pub is_secure: bool,
}

impl Gateway {
    /// The services behind one door.
    pub fn new(parts: GatewayParts, services: Vec<Arc<dyn Service>>) -> Self {
        let models = services.iter().map(|service| service.model()).collect();
        let GatewayParts { platform, identities, policies, denials, is_secure } = parts;
        Self { platform, identities, services, models, policies, denials, is_secure }
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
        Box::pin(self.identities.credential(access_key_id, session_token))
    }

    fn anonymous(&self) -> Option<Caller> {
        Some(Caller { access_key_id: String::new(), principal: Principal::anonymous(), session: None })
    }

    fn call(&self, call: Call<Caller>) -> BoxFuture<'_, Result<Reply, wire::Error>> {
        Box::pin(async move {
            let model = self.models[call.service];
            let ctx = Ctx {
                rights: Rights::of(&*self.policies, &call.caller).await.map_err(|error| store_error(&error))?,
                request_id: call.request_id,
                principal: call.caller.principal,
                access_key_id: call.caller.access_key_id,
                session: call.caller.session,
                region: call.region,
                host: call.host,
                now: call.now,
                source_ip: call.source_ip,
                user_agent: call.user_agent,
                is_secure: self.is_secure,
                protocol: call.protocol,
                denials: self.denials.clone(),
            };
            self.platform.keys.note_use(&ctx, model.signing_name);
            let input = call.protocol.decode(model, call.operation, &call.body)?;
            self.services[call.service].call(&ctx, call.operation, input).await
        })
    }
}
