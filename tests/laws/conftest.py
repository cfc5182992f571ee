import pytest

pytest.register_assert_rewrite("laws")
