"""The conformance kits for plugin authors, and small deterministic fakes.

Subclass a kit, fill in its fixture, run pytest:

    from inglenook.testing.loader import LoaderKit

    class TestMidiLoader(LoaderKit):
        @pytest.fixture
        def loader(self):
            return MidiLoader({})

The built-in plugins pass the same kits.
"""
