//! Listeners and socket options; how many connections one address may hold. Sockets are opened only here.
