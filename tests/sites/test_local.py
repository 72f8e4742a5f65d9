from nbflow.sites.local import LocalSession
from tests.contracts.sessions import SessionContract


class TestLocalSession(SessionContract):
    def make(self) -> LocalSession:
        return LocalSession()
