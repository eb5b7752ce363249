//! The observer from outside: its pages by HTTP, with networks that behave and peers that do not, and in a browser.

mod actions;
mod activity;
mod browser;
mod collecting;
mod driver;
mod http;
mod liar;
mod pages;
mod ports;
mod strangers;
mod traces;
mod watched;
