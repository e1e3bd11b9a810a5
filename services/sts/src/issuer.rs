//! Sessions of roles for services: for the tasks, functions and instances that run in a role's name.

use platform::BoxFuture;
use platform::identity::{self, TemporaryCredentials};
use platform::ports::{CannotAssume, CredentialIssuer, ServiceSession};
use policy::{Context, evaluate_service_principal};

use crate::role::{read_role_arn, session_principal};
use crate::{Sts, session, trust};

const ACTION: &str = "sts:AssumeRole";
/// The longest name that a session can have.
const SESSION_NAME_CHARS_MAX: usize = 64;

impl CredentialIssuer for Sts {
    fn issue<'a>(&'a self, wanted: ServiceSession<'a>) -> BoxFuture<'a, Result<TemporaryCredentials, CannotAssume>> {
        Box::pin(async move {
            let not_allowed =
                || CannotAssume::NotAllowed { service: wanted.service.to_owned(), role: wanted.role_arn.to_owned() };
            let (account, name) = read_role_arn(wanted.role_arn).map_err(|_| not_allowed())?;
            let role = self.roles.role(account, &name).await?;
            let role = role.filter(|role| account == wanted.account && role.arn.to_string() == wanted.role_arn);
            let role = role.ok_or_else(not_allowed)?;
            let policy = trust::policy(&role);
            let context = self.context(&wanted);
            let decision = evaluate_service_principal(wanted.service, ACTION, wanted.role_arn, &context, &policy);
            if !decision.is_allowed() {
                return Err(not_allowed());
            }
            let duration = wanted.duration.min(std::time::Duration::from_secs(role.max_session_duration_s.into()));
            let principal = session_principal(&role, account, &session_name(wanted.session_name));
            let session = session::lasting(self.platform.clock.now(), principal, duration);
            Ok(identity::issue_session(&self.platform, session))
        })
    }
}

impl Sts {
    /// The condition keys of a service's call on its own account.
    fn context(&self, wanted: &ServiceSession<'_>) -> Context {
        let now = self.platform.clock.now();
        let mut context = Context::new();
        context.set("aws:CurrentTime", now.iso8601());
        context.set("aws:EpochTime", now.as_secs().to_string());
        context.set("aws:SecureTransport", "true");
        context.set("aws:PrincipalIsAWSService", "true");
        context.set("aws:PrincipalServiceName", wanted.service);
        context.set("aws:SourceAccount", wanted.account.to_string());
        context.set("sts:RoleSessionName", session_name(wanted.session_name));
        if let Some(arn) = wanted.source_arn {
            context.set("aws:SourceArn", arn);
        }
        context
    }
}

/// A name as sessions can have it: characters that they cannot have become `-`, what is too long is cut.
fn session_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let name = text.chars().take(SESSION_NAME_CHARS_MAX).map(|c| if fits(c) { c } else { '-' }).collect::<String>();
    // The shortest has two characters.
    if name.len() < 2 { format!("{name}--") } else { name }
}
