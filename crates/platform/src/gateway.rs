//! From a verified request to its handler.

use std::sync::Arc;

use wire::model::ServiceModel;
use wire::serve::{Backend, Call, CredentialError, FoundCredential};
use wire::value::Value;

use crate::authorize::authorize;
use crate::identity::{Caller, Identities};
use crate::{BoxFuture, Ctx, Platform};

/// What a handler answers.
pub type Answer<'a> = BoxFuture<'a, Result<Value, wire::Error>>;

/// A service; implemented by generated code.
pub trait Service: Send + Sync {
    /// Its model.
    fn model(&self) -> &'static ServiceModel;
    /// Handles the operation numbered `operation` in the model.
    fn call<'a>(&'a self, ctx: &'a Ctx, operation: usize, input: Value) -> Answer<'a>;
}

/// All services behind one door.
pub struct Gateway {
    platform: Platform,
    identities: Arc<Identities>,
    services: Vec<Arc<dyn Service>>,
    models: Vec<&'static ServiceModel>,
}

impl Gateway {
    /// The services behind one door.
    pub fn new(platform: Platform, identities: Arc<Identities>, services: Vec<Arc<dyn Service>>) -> Self {
        let models = services.iter().map(|service| service.model()).collect();
        Self { platform, identities, services, models }
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

    fn call(&self, call: Call<Caller>) -> BoxFuture<'_, Result<Value, wire::Error>> {
        Box::pin(async move {
            let model = self.models[call.service];
            let ctx = Ctx {
                is_rooted: call.caller.is_rooted(),
                request_id: call.request_id,
                principal: call.caller.principal,
                access_key_id: call.caller.access_key_id,
                session: call.caller.session,
                region: call.region,
                host: call.host,
                now: call.now,
                source_ip: call.source_ip,
                user_agent: call.user_agent,
            };
            self.platform.keys.note_use(&ctx, model.signing_name);
            authorize(&ctx, call.protocol, model, call.operation)?;
            let input = call.protocol.decode(model, call.operation, &call.body)?;
            self.services[call.service].call(&ctx, call.operation, input).await
        })
    }
}
