"""The API of a public library, for tests of the framework without WeChat Pay: specs, client and server."""
