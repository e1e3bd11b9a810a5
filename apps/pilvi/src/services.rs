//! Which services there are, and how they are wired together. A new service is a line here.

use std::net::SocketAddr;
use std::sync::Arc;

use cloudwatch::CloudWatch;
use ecr::Ecr;
use ecr::content::Content;
use ecr::registry::Registry;
use ecs::Ecs;
use iam::Iam;
use lambda::code::CodeStore;
use lambda::code_routes::CodeRoutes;
use lambda::environment::{self, Environments, Keeping};
use lambda::url_routes::FunctionUrls;
use lambda::{Lambda, Neighbours};
use logs::Logs;
use platform::denials::Denials;
use platform::idempotency::ClientTokens;
use platform::identity::Identities;
use platform::ports::{ImagePreparer, LogSink, MetricSink, RoleDirectory};
use platform::workloads::Workloads;
use platform::{Admission, Gateway, Platform, Reconcilers, Service};
use s3::S3;
use s3::website_routes::Websites;
use segments::Segments;
use sts::Sts;
use wire::serve::raw::Routes;

use crate::fleet::environments::FunctionHost;
use crate::local_registry::EcrImages;
use crate::triggers::Triggers;

/// What the services are made of.
pub(crate) struct Foundation {
    pub(crate) platform: Platform,
    /// The events of log groups.
    pub(crate) segments: Arc<Segments>,
    /// The bytes of images.
    pub(crate) content: Content,
    /// The bytes of objects.
    pub(crate) objects: s3::content::Content,
    /// The code of functions.
    pub(crate) code: CodeStore,
    /// The address that the server listens at.
    pub(crate) listener: SocketAddr,
    pub(crate) denials: Arc<Denials>,
    /// Whether connections are encrypted.
    pub(crate) is_secure: bool,
    /// The address that clients reach, where it is not the one they name.
    pub(crate) public_address: Option<ecr::PublicAddress>,
    /// The names by which clients reach the server, without ports: a host below one of them is a bucket's.
    pub(crate) public_hosts: Vec<String>,
}

/// What a server serves.
pub(crate) struct Built {
    /// Every service behind one door.
    pub(crate) gateway: Gateway,
    /// What is reached beside them, the first that takes a request first: the registry, functions at their addresses, code, and
    /// what buckets show as websites.
    pub(crate) routes: Vec<Arc<dyn Routes>>,
    /// What goes on by itself, which is not started yet.
    pub(crate) background: Background,
}

/// Puts the services together.
pub(crate) fn build(foundation: Foundation) -> Built {
    let Foundation {
        platform,
        segments,
        content,
        objects,
        code,
        listener,
        denials,
        is_secure,
        public_address,
        public_hosts,
    } = foundation;
    let iam = Arc::new(Iam::new(platform.clone()));
    let roles: Arc<dyn RoleDirectory> = iam.clone();
    let cloudwatch = Arc::new(CloudWatch::new(platform.clone()));
    let triggers = Triggers::new();
    let logs = Logs::new(platform.clone(), segments, cloudwatch.clone());
    let logs = Arc::new(logs.with_destinations(triggers.clone()));
    let admission = Admission {
        identities: Arc::new(Identities::new(platform.clone(), roles.clone(), iam.clone())),
        policies: iam.clone(),
        denials,
        is_secure,
    };
    let settings = function_settings(public_address.as_ref(), listener);
    let ecr = Ecr::new(platform.clone(), content, public_address);
    let s3 = S3::new(platform.clone(), objects, triggers.clone());
    let sts = Arc::new(Sts::new(platform.clone(), roles, iam.clone()));
    let functions = FunctionHost::new();
    let executor = Environments::new(environment::Parts {
        platform: platform.clone(),
        host: Arc::new(functions.clone()),
        logs: logs.clone(),
        credentials: sts.clone(),
        keeping: Keeping::default(),
    });
    let neighbours = Neighbours {
        executor: Arc::new(executor),
        credentials: sts.clone(),
        objects: Arc::new(s3.clone()),
        images: Arc::new(EcrImages(ecr.clone())),
    };
    let lambda = Lambda::new(platform.clone(), code, neighbours, settings);
    triggers.connect(lambda.clone());
    let services: Vec<Arc<dyn Service>> = vec![
        cloudwatch.clone(),
        Arc::new(ecr.clone()),
        Arc::new(Ecs { platform: platform.clone() }),
        iam,
        Arc::new(lambda.clone()),
        logs.clone(),
        Arc::new(s3.clone()),
        sts,
    ];
    Built {
        routes: vec![
            Arc::new(Registry::new(ecr.clone(), admission.clone())),
            Arc::new(FunctionUrls::new(lambda.clone(), admission.clone())),
            Arc::new(CodeRoutes::new(lambda.clone())),
            Arc::new(Websites::new(s3.clone(), is_secure)),
        ],
        gateway: Gateway::new(platform.clone(), admission, services)
            .with_public_hosts(public_hosts)
            .with_cross_origin(Arc::new(s3.clone())),
        background: Background {
            workloads: Workloads::new(&platform),
            platform,
            cloudwatch,
            ecr,
            functions,
            lambda,
            logs,
            s3,
        },
    }
}

/// What Lambda is told of this installation.
fn function_settings(public: Option<&ecr::PublicAddress>, listener: SocketAddr) -> lambda::Settings {
    let address = |public: &ecr::PublicAddress| {
        let scheme = if public.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", public.authority)
    };
    let url_host = public.map_or_else(|| format!("localhost:{}", listener.port()), |public| public.authority.clone());
    lambda::Settings { public_address: public.map(address), url_host, ..lambda::Settings::default() }
}

/// What goes on without a request.
pub(crate) struct Background {
    platform: Platform,
    cloudwatch: Arc<CloudWatch>,
    ecr: Ecr,
    functions: FunctionHost,
    lambda: Lambda,
    logs: Arc<Logs>,
    s3: S3,
    workloads: Workloads,
}

impl Background {
    /// What is wanted to run, and what came of it.
    pub(crate) fn workloads(&self) -> Workloads {
        self.workloads.clone()
    }

    /// Where the output of what runs goes.
    pub(crate) fn log_sink(&self) -> Arc<dyn LogSink> {
        self.logs.clone()
    }

    /// Where it is written down what that uses.
    pub(crate) fn metric_sink(&self) -> Arc<dyn MetricSink> {
        self.cloudwatch.clone()
    }

    /// Where functions run, once it is told.
    pub(crate) fn functions(&self) -> FunctionHost {
        self.functions.clone()
    }

    /// The registry's service, whose images others pull.
    pub(crate) fn ecr(&self) -> &Ecr {
        &self.ecr
    }

    /// Starts it, and hands out where it can be seen; each loop ends when the store is closed. Images that are pushed are
    /// made ready by `preparer`, where there is one.
    pub(crate) fn start(self, preparer: Option<Arc<dyn ImagePreparer>>) -> Reconcilers {
        let reconcilers = Reconcilers::new(&self.platform);
        reconcilers.start(Arc::new(ClientTokens::new(&self.platform)));
        reconcilers.start(ecs::reconcile::task_definition::reconciler(&self.platform));
        ecr::reconcile::all(&self.ecr).into_iter().for_each(|one| reconcilers.start(one));
        reconcilers.start(ecr::reconcile::prepare::reconciler(&self.ecr, preparer));
        self.cloudwatch.reconcilers().into_iter().for_each(|one| reconcilers.start(one));
        lambda::reconcile::all(&self.lambda).into_iter().for_each(|one| reconcilers.start(one));
        logs::reconcile::all(&self.logs).into_iter().for_each(|one| reconcilers.start(one));
        s3::reconcile::all(&self.s3).into_iter().for_each(|one| reconcilers.start(one));
        reconcilers
    }
}
