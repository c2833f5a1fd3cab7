//! The caller of a request: the credentials or the token it is signed with, and the entries that this
//! caller may see.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_credential_types::{Credentials, Token};
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::region::SigningRegion;
use bedrock_catalog_cache::Namespace;
use sha2::{Digest, Sha256};

/// The caller of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The namespace of an account: its identities can change what the others read.
    pub(crate) namespace: Namespace,
    /// Whether the account is known from the credentials, so that a write concerns no other namespace.
    pub(crate) has_account: bool,
    /// A digest of the identity and the region; part of each key.
    pub(crate) digest: [u8; 32],
}

/// The names that an application gives, for what the credentials do not say.
#[derive(Clone, Default)]
pub(crate) struct Names {
    /// In place of an account.
    pub(crate) namespace: Option<String>,
    /// In place of the credentials.
    pub(crate) identity: Option<String>,
}

/// A name may be an account id.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// The callers of a client. The last one is remembered: mostly it is the next one, too.
#[derive(Default)]
pub(crate) struct Callers {
    pub(crate) names: Names,
    last: Mutex<Option<(Vec<String>, Caller)>>,
}

impl Callers {
    pub(crate) fn new(names: Names) -> Self {
        Self {
            names,
            last: Mutex::default(),
        }
    }

    /// The caller of a request, or the reason why there is none.
    pub(crate) fn of(&self, config: &ConfigBag) -> Result<Caller, &'static str> {
        // The SDK keeps the identity with the parameters of the endpoint, which may depend on it.
        let identity = config
            .load::<EndpointResolverParams>()
            .and_then(|parameters| parameters.get_property::<Identity>())
            .ok_or("the SDK does not say which identity signs a request")?;
        let region = config.load::<SigningRegion>();
        self.with(identity, region.map(AsRef::as_ref).unwrap_or_default())
    }

    pub(crate) fn with(&self, identity: &Identity, region: &str) -> Result<Caller, &'static str> {
        let credentials = identity.data::<Credentials>();
        let token = identity.data::<Token>().map(Token::token);
        let account = credentials.and_then(Credentials::account_id);
        let account = account.map(|account| account.as_str());
        let named = self.names.namespace.as_deref();
        let secrets = match (credentials, token) {
            // The secret and the session token are part of the identity: an access key id alone grants
            // nothing.
            (Some(credentials), _) => [
                credentials.access_key_id(),
                credentials.secret_access_key(),
                credentials.session_token().unwrap_or_default(),
            ],
            (None, Some(token)) => ["", "", token],
            (None, None) => return Err("a request is signed with neither credentials nor a token"),
        };
        // A token is of one account; the namespace is a hash of it.
        let owner = account.or(named).or(token);
        let owner =
            owner.ok_or("the credentials have no account, and no namespace is set in its place")?;
        let mut parts = vec![owner, region];
        match &self.names.identity {
            Some(name) => parts.push(name),
            None => parts.extend(secrets),
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, caller)) = last.as_ref()
            && *of == parts
        {
            return Ok(*caller);
        }
        let caller = Caller {
            namespace: account_namespace(owner),
            has_account: account.is_some(),
            digest: digest(&parts),
        };
        *last = Some((parts.into_iter().map(str::to_owned).collect(), caller));
        Ok(caller)
    }
}

/// The namespace of an account, or of the name in its place. The partition is no part of it: keys have
/// the region and the endpoint.
pub(crate) fn account_namespace(account: &str) -> Namespace {
    Namespace::of(["aws-client", account])
}

/// A digest of texts with their lengths, so that different lists are different inputs.
fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}
