//! Reading and changing a configuration file.

use aemp_codec::{Map, Value};

use super::{Address, ConfigError, ConfigFile, Expected, Key, Kind, Place, ValueError, read};
use crate::spelling::nearest;

/// Reading and changing. In these methods, the profile `None` is the top level, which has the defaults of all profiles.
impl ConfigFile {
    /// The whole document, with profiles and unknown keys.
    #[must_use]
    pub fn document(&self) -> &Map {
        &self.map
    }

    /// The names of the profiles, in the order of the file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if `profile` is not an object.
    pub fn profiles(&self) -> Result<Vec<&str>, ConfigError> {
        let profiles = self.all_profiles()?;
        Ok(profiles.map_or_else(Vec::new, |map| map.keys().collect()))
    }

    /// Returns a profile without its inherited values; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the profile is not an object.
    pub fn profile(&self, name: &str) -> Result<Option<&Map>, ConfigError> {
        match self.all_profiles()?.and_then(|map| map.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(other) => Err(self.wrong(&["profile", name], Expected::Object, other)),
        }
    }

    fn all_profiles(&self) -> Result<Option<&Map>, ConfigError> {
        match self.map.get("profile") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(other) => Err(self.wrong(&["profile"], Expected::Profiles, other)),
        }
    }

    fn section(&self, profile: Option<&str>) -> Result<Option<&Map>, ConfigError> {
        match profile {
            None => Ok(Some(&self.map)),
            Some(name) => self.profile(name),
        }
    }

    /// Returns the value of a key in one section, without inherited values.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the profile is not an object.
    pub fn value(&self, profile: Option<&str>, key: &str) -> Result<Option<&Value>, ConfigError> {
        Ok(self.section(profile)?.and_then(|section| section.get(key)))
    }

    /// Creates a profile if it does not exist. Returns true if it was created.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the existing value is not an object.
    pub fn create_profile(&mut self, name: &str) -> Result<bool, ConfigError> {
        let new = self.profile(name)?.is_none();
        self.section_mut(Some(name))?;
        Ok(new)
    }

    /// Deletes a profile. Returns true if it existed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if `profile` is not an object.
    pub fn delete_profile(&mut self, name: &str) -> Result<bool, ConfigError> {
        self.all_profiles()?;
        let Some(Value::Map(profiles)) = self.map.get_mut("profile") else {
            return Ok(false);
        };
        let deleted = profiles.remove(name).is_some();
        if profiles.is_empty() {
            self.map.remove("profile");
        }
        self.places.forget(&["profile", name]);
        Ok(deleted)
    }

    /// Sets a key, and creates the profile if necessary. Lists may be given as texts with commas. The value is
    /// [normalized](Key::normalize).
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoKey`] if there is no such key. [`ConfigError::Value`] if the key cannot have this value, or the
    /// profile is not an object.
    pub fn set(
        &mut self,
        profile: Option<&str>,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<(), ConfigError> {
        let known = known(profile, key)?;
        let value = known.normalize(&value.into());
        let value = value.map_err(|problem| wrong_value(profile, key, problem))?;
        self.put(profile, key, value)
    }

    /// Deletes a key, known or unknown, so that an inherited value takes effect again. Returns the old value.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the profile is not an object.
    pub fn delete(
        &mut self,
        profile: Option<&str>,
        key: &str,
    ) -> Result<Option<Value>, ConfigError> {
        if profile.is_none() && key == "profile" {
            return Err(no_key(key));
        }
        if self.section(profile)?.is_none() {
            return Ok(None);
        }
        self.forget(profile, key);
        Ok(self.section_mut(profile)?.remove(key))
    }

    /// Appends an element to a list of this section. Inherited elements are not copied.
    ///
    /// An address that is in the list already moves to its end. A service is added once more, as in the reference.
    ///
    /// # Errors
    ///
    /// Like [`set`](Self::set).
    pub fn add(
        &mut self,
        profile: Option<&str>,
        key: &str,
        item: impl Into<Value>,
    ) -> Result<(), ConfigError> {
        let known = known(profile, key)?;
        let item = vec![item.into()];
        let new = match known.normalize(&Value::Array(item)) {
            Ok(Value::Array(new)) if known.is_list() => new,
            Ok(_) => return Err(wrong_value(profile, key, ValueError::NoList)),
            Err(problem) => return Err(wrong_value(profile, key, problem)),
        };
        let mut items = self.items(profile, key)?;
        if known.kind != Kind::Services {
            items.retain(|old| !new.iter().any(|new| same(old, new)));
        }
        items.extend(new);
        self.put(profile, key, Value::Array(items))
    }

    /// Removes an element from a list, and of several equal services the first. Returns true if it was there.
    ///
    /// # Errors
    ///
    /// Like [`set`](Self::set).
    pub fn remove(
        &mut self,
        profile: Option<&str>,
        key: &str,
        item: impl Into<Value>,
    ) -> Result<bool, ConfigError> {
        let known = known(profile, key)?;
        let item = item.into();
        let mut items = self.items(profile, key)?;
        let before = items.len();
        if known.kind == Kind::Services {
            if let Some(at) = items.iter().position(|old| same(old, &item)) {
                items.remove(at);
            }
        } else {
            items.retain(|old| !same(old, &item));
        }
        let removed = items.len() < before;
        if removed {
            self.put(profile, key, Value::Array(items))?;
        }
        Ok(removed)
    }

    /// The elements of a list, as they are in the file.
    fn items(&self, profile: Option<&str>, key: &str) -> Result<Vec<Value>, ConfigError> {
        let Some(value) = self.value(profile, key)? else {
            return Ok(Vec::new());
        };
        read::items(value).map_err(|problem| ConfigError::Value {
            place: self.place(&path(profile, key)).into(),
            problem,
        })
    }

    fn put(&mut self, profile: Option<&str>, key: &str, value: Value) -> Result<(), ConfigError> {
        self.section_mut(profile)?.insert(key, value);
        self.forget(profile, key);
        Ok(())
    }

    fn forget(&mut self, profile: Option<&str>, key: &str) {
        self.places.forget(&path(profile, key));
    }

    /// Returns a section, which is created if necessary.
    fn section_mut(&mut self, profile: Option<&str>) -> Result<&mut Map, ConfigError> {
        let Some(name) = profile else {
            return Ok(&mut self.map);
        };
        // Only a missing value and null are replaced by an object.
        if self.profile(name)?.is_none() {
            if self.all_profiles()?.is_none() {
                self.map.insert("profile", Map::new());
            }
            if let Some(Value::Map(profiles)) = self.map.get_mut("profile") {
                profiles.insert(name, Map::new());
            }
        }
        match self.map.get_mut("profile") {
            Some(Value::Map(profiles)) => match profiles.get_mut(name) {
                Some(Value::Map(section)) => Ok(section),
                _ => Err(wrong_value(profile, "", ValueError::NoObject)),
            },
            _ => Err(wrong_value(None, "profile", ValueError::NoObject)),
        }
    }
}

fn path<'a>(profile: Option<&'a str>, key: &'a str) -> Vec<&'a str> {
    match profile {
        None => vec![key],
        Some(profile) => vec!["profile", profile, key],
    }
}

fn known(profile: Option<&str>, key: &str) -> Result<&'static Key, ConfigError> {
    let known = Key::named(key).ok_or_else(|| no_key(key))?;
    if known.kind == Kind::Profile && profile.is_none() {
        return Err(wrong_value(None, key, ValueError::ParentOfTopLevel));
    }
    Ok(known)
}

/// The error about an unknown key.
pub(super) fn no_key(key: &str) -> ConfigError {
    let names = super::KEYS.iter().map(|known| known.name);
    ConfigError::NoKey {
        key: key.into(),
        near: nearest(names, key).map(str::to_owned),
    }
}

fn wrong_value(profile: Option<&str>, key: &str, problem: ValueError) -> ConfigError {
    let place = Place {
        file: None,
        profile: profile.map(str::to_owned),
        key: key.into(),
    };
    ConfigError::Value {
        place: place.into(),
        problem,
    }
}

/// True if two elements are the same in different notations.
fn same(a: &Value, b: &Value) -> bool {
    if a.loose_eq(b) {
        return true;
    }
    let address = |value: &Value| value.text()?.parse::<Address>().ok();
    matches!((address(a), address(b)), (Some(a), Some(b)) if a == b)
}
