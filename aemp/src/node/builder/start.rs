//! Starting a node from its settings.

use std::borrow::Cow;

use aemp_codec::{Format, NodeId, PacketReader};

use super::{NodeBuilder, tls};
use crate::{
    Node, ServiceError, SettingError, StartError,
    config::{self, Address, ConfigFile, Host, Method, Seed, Service, Settings, ValueError},
    net::{NetConfig, Place, Source, Sources, local_addresses},
    node::names::Names,
};
use aemp_proto::handshake::auth::Secret;

/// The service of the reference that makes a node global, and the module that loads it there.
const GLOBAL: [&str; 2] = ["AnyEvent::MP::Global", "AnyEvent::MP::Global::"];

impl NodeBuilder {
    fn uses_file(&self) -> bool {
        self.profile.is_some() || self.config_file.is_some()
    }

    fn file(&self) -> Result<Option<ConfigFile>, StartError> {
        if self.norc || !self.uses_file() {
            return Ok(None);
        }
        Ok(Some(match &self.config_file {
            Some(path) => ConfigFile::load(path)?,
            None => ConfigFile::load_default(&self.environment)?,
        }))
    }

    /// The node's settings from all sources.
    pub(super) fn settings(&self) -> Result<Settings, StartError> {
        let file = self.file()?;
        let sources = config::Sources {
            file: file.as_ref(),
            profile: self.profile.as_deref(),
            arguments: Cow::Borrowed(&self.arguments),
            force: self.force,
            environment: self.environment.clone(),
        };
        let mut settings = Settings::resolve(&sources)?;
        if settings.secret.is_none() || self.force {
            settings.secret = self.secret.clone().or(settings.secret);
        }
        if settings.cert.is_none() || self.force {
            settings.cert = self.cert.clone().or(settings.cert);
        }
        if settings.binds.is_none() && self.uses_file() {
            settings.binds = Some(vec![Address {
                host: Host::Any,
                port: None,
            }]);
        }
        pass_over_unused(&settings, self.strict)?;
        if let Some(file) = &file {
            self.log_missing(file);
            if let Some(exposure) = file.exposure() {
                crate::log::warning!("{exposure}");
            }
        }
        Ok(settings)
    }

    /// Logs that the file or the profile that the program names does not exist.
    fn log_missing(&self, file: &ConfigFile) {
        let path = file.path().display();
        if self.config_file.is_some() && !file.path().exists() {
            crate::log::info!("{path}: the configuration file does not exist");
        } else if let Some(profile) = &self.profile
            && matches!(file.profile(profile), Ok(None))
        {
            crate::log::info!(
                "{path}: there is no profile {profile:?}; only the top level applies"
            );
        }
    }

    /// The part of the settings for the network.
    pub(super) fn net_config(&self, settings: &Settings) -> Result<NetConfig, StartError> {
        for (node, address) in &self.addresses {
            NodeId::new(node)?;
            let parsed: Result<Address, _> = address.parse();
            if !parsed.is_ok_and(|address| address.port.is_some() && address.host != Host::Any) {
                let problem = SettingError::Incomplete(address.clone());
                return Err(StartError::setting("address", problem));
            }
        }
        let secret = settings.secret.clone();
        let secret = secret.filter(|secret: &Secret| !secret.is_empty());
        let binds = settings.binds.as_deref().unwrap_or_default();
        let lonely = binds.is_empty()
            && settings.seeds.is_empty()
            && self.addresses.is_empty()
            && self.seed_sources.is_empty();
        if !lonely && !self.place.has_network() {
            return Err(no_network(settings));
        }
        if !lonely && secret.is_none() && !tls::is_possible(settings) {
            let cert = settings.cert.is_some();
            return Err(StartError::setting(
                "secret",
                SettingError::NoSecret { cert },
            ));
        }
        if settings.auth_offer.contains(&Method::Cleartext) {
            crate::log::warning!(
                "auth_offer: with cleartext, this node sends its secret to any peer that answers at the address of a seed"
            );
        }
        tls::check(settings)?;
        let (mut seeds, mut sources) = seeds(&settings.seeds)?;
        for (name, source) in &self.seed_sources {
            seeds.push(name.clone());
            sources.insert(name.clone(), Source::Custom(source.clone()));
        }
        Ok(NetConfig {
            secret,
            seeds,
            sources,
            advertise: settings.advertise.clone(),
            addresses: self.addresses.clone(),
            monitor_timeout: settings.monitor_timeout,
            connect_interval: settings.connect_interval,
            auth_offer: some_method("auth_offer", settings.auth_offer.clone())?,
            auth_accept: some_method("auth_accept", self.accepted(settings))?,
            formats: self.formats(settings)?,
            nodelay: settings.nodelay,
            limits: settings.limits.clone(),
            require_tls: settings.require_tls,
            relay: settings.relay,
            encrypt: settings.encrypt,
            #[cfg(feature = "tls")]
            tls: crate::net::TlsConfig {
                context: tls::context(settings)?.map(std::sync::Arc::new),
                verify_node_id: settings.verify_node_id,
                sources: Some(Box::new(self.sources())),
            },
            global: self.global || settings.services.iter().any(is_global),
        })
    }

    fn accepted(&self, settings: &Settings) -> Vec<Method> {
        let mut methods = settings.auth_accept.clone();
        if !self.accept_cleartext {
            methods.retain(|method| *method != Method::Cleartext);
        }
        methods
    }

    /// The formats of the settings, in their order.
    fn formats(&self, settings: &Settings) -> Result<Vec<Format>, StartError> {
        let mut known = self.codecs.clone();
        known.extend(Format::built_in());
        let Some(names) = &settings.framing_format else {
            return Ok(known);
        };
        let named = |name: &String| known.iter().find(|format| format.name() == name);
        let formats: Vec<Format> = names.iter().filter_map(named).cloned().collect();
        if let Some(place) = &settings.formats_in_file {
            for name in names.iter().filter(|name| named(name).is_none()) {
                let problem = ValueError::ForeignFormat(name.clone());
                pass_over(place, problem, self.strict)?;
            }
            if formats.is_empty() && !names.is_empty() {
                crate::log::warning!("{place}: no known format is left: the default counts");
                return Ok(known);
            }
        }
        if formats.is_empty() {
            let problem = SettingError::UnknownFormats {
                formats: names.clone(),
                known: known.iter().map(|format| format.name().into()).collect(),
            };
            return Err(StartError::setting("framing_format", problem));
        }
        Ok(formats)
    }
}

/// The error of a program without the feature `net` whose node is to be in a network.
fn no_network(settings: &Settings) -> StartError {
    let bind = settings.binds.iter().flatten().next();
    let seed = settings.seeds.first().map(ToString::to_string);
    let (setting, value) = match bind {
        Some(bind) => ("binds", bind.to_string()),
        None => ("seeds", seed.unwrap_or_else(|| "a network".into())),
    };
    let feature = "net";
    let problem = SettingError::MissingFeature { value, feature };
    StartError::setting(setting, problem)
}

fn some_method(key: &'static str, methods: Vec<Method>) -> Result<Vec<Method>, StartError> {
    if methods.is_empty() {
        return Err(StartError::setting(key, SettingError::NoMethod));
    }
    Ok(methods)
}

/// Logs settings that have no effect. Those of other programs are errors if `strict`.
fn pass_over_unused(settings: &Settings, strict: bool) -> Result<(), StartError> {
    for place in &settings.unknown {
        pass_over(place, ValueError::ForeignKey, strict)?;
    }
    for (place, name) in &settings.unknown_methods {
        let problem = ValueError::ForeignMethod(name.clone());
        pass_over(place, problem, strict)?;
    }
    if settings.eval.is_some() {
        crate::log::warning!("eval: Perl code is not run by this implementation");
    }
    Ok(())
}

/// Handles a part of a shared file that is of no use for this program: an error if `strict`, otherwise a warning.
fn pass_over(place: &config::Place, problem: ValueError, strict: bool) -> Result<(), StartError> {
    if strict {
        let place = place.clone().into();
        return Err(config::ConfigError::Value { place, problem }.into());
    }
    crate::log::warning!("{place}: {problem} and ignored");
    Ok(())
}

/// The node ID with its variable parts replaced.
pub(super) fn node_id(settings: &Settings, place: &Place) -> Result<NodeId, StartError> {
    let mut random = [0; 19];
    place.fill_random(&mut random)?;
    let random = Names::new(random).spawned();
    Ok(NodeId::new(settings.node_id_with(&random))?)
}

/// The addresses of seeds to dial, and the sources of further ones. Host names are kept as names, because they are
/// looked up again in each round of attempts.
fn seeds(seeds: &[Seed]) -> Result<(Vec<String>, Sources), StartError> {
    let mut sources = Sources::new();
    let mut sockets = Vec::with_capacity(seeds.len());
    for seed in seeds {
        match seed {
            Seed::Address(address) => match address.socket() {
                Some(socket) => sockets.push(socket),
                None => sockets.extend(on_this_machine(address)?),
            },
            Seed::Command(command) => {
                sources.insert(seed.to_string(), Source::Command(command.clone()));
                sockets.push(seed.to_string());
            }
            Seed::Srv(name) => {
                sources.insert(seed.to_string(), records(name)?);
                sockets.push(seed.to_string());
            }
        }
    }
    Ok((sockets, sources))
}

#[cfg(feature = "srv")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn records(name: &str) -> Result<Source, StartError> {
    Ok(Source::Srv(name.into()))
}

#[cfg(not(feature = "srv"))]
fn records(name: &str) -> Result<Source, StartError> {
    let problem = SettingError::MissingFeature {
        value: format!("srv:{name}"),
        feature: "srv",
    };
    Err(StartError::setting("seeds", problem))
}

/// The addresses that `*` stands for.
fn on_this_machine(seed: &Address) -> Result<Vec<String>, StartError> {
    let local = local_addresses().map_err(|error| {
        let seed = seed.clone();
        StartError::setting("seeds", SettingError::Interfaces { seed, error })
    })?;
    let each = local.into_iter().map(|ip| Address {
        host: Host::Named(ip.to_string()),
        port: seed.port,
    });
    Ok(each.filter_map(|address| address.socket()).collect())
}

fn is_global(service: &Service) -> bool {
    GLOBAL.contains(&service.name.as_str())
}

impl Node {
    /// Checks that all services exist. Those of the file that do not are for other programs, and left out, unless
    /// `strict` is set.
    pub(super) fn check_services(
        &self,
        settings: &mut Settings,
        strict: bool,
    ) -> Result<(), StartError> {
        let place = settings.services_in_file.take();
        for service in std::mem::take(&mut settings.services) {
            let Err(error) = self.check_service(&service) else {
                settings.services.push(service);
                continue;
            };
            let name = service.name;
            match &place {
                Some(place) if !strict => {
                    crate::log::warning!("{place}: the service {name:?} is left out: {error}");
                }
                _ => return Err(StartError::Service { name, error }),
            }
        }
        Ok(())
    }

    fn check_service(&self, service: &Service) -> Result<(), ServiceError> {
        let name = &service.name;
        if is_global(service) || self.registry().init(name).is_some() {
            return Ok(());
        }
        if name.ends_with("::") {
            return Err(ServiceError::Module);
        }
        let near = self.registry().nearest(name).map(Into::into);
        Err(ServiceError::Unknown { near })
    }

    /// Spawns the services on this node, in order. A service that fails is a port that dies.
    pub(super) fn run_services(&self, services: Vec<Service>) {
        for service in services.into_iter().filter(|service| !is_global(service)) {
            let args = PacketReader::values(service.args);
            self.spawn_here(&service.name, None, args);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "srv")]
    fn srv_records_are_a_source() {
        let seed: Seed = "srv:_aemp._tcp.a.example".parse().unwrap();
        let (seeds, sources) = seeds(&[seed]).unwrap();
        assert_eq!(seeds, ["srv:_aemp._tcp.a.example"]);
        let source = &sources["srv:_aemp._tcp.a.example"];
        assert!(matches!(source, Source::Srv(name) if name == "_aemp._tcp.a.example"));
    }

    #[test]
    #[cfg(not(feature = "srv"))]
    fn srv_records_need_the_feature() {
        let seed: Seed = "srv:_aemp._tcp.a.example".parse().unwrap();
        let error = seeds(&[seed]).unwrap_err().to_string();
        let begin = "seeds: srv:_aemp._tcp.a.example needs the feature `srv` of aemp";
        assert!(error.starts_with(begin), "{error}");
    }
}
