"""A command that a result advises names the target of the command that it comes from."""

from __future__ import annotations

from promthctl.adoption.adopting import Adoption
from promthctl.seeds import SeedPlan
from promthctl.views import migrations as migrations_views
from promthctl.views import seed as seed_views

AT = " --db-url postgresql://postgres@127.0.0.1:5432/x"


def test_what_is_not_adopted_is_pushed_to_the_same_target() -> None:
    found = Adoption("x", 3, (), unproven=("001_rows.sql",), absent=("002_b.sql",), options=AT)
    said = "\n".join(map(str, migrations_views.adoption(found)))
    assert f"so promthctl push{AT} applies it: 002_b.sql" in said
    assert f"promthctl push{AT} applies it; if it has run already, promthctl migrations adopt{AT} --assume 001" in said


def test_a_seed_that_was_changed_is_run_on_the_same_target() -> None:
    plan = SeedPlan("x", (), changed=("supabase/my seed.sql",), options=AT)
    said = "\n".join(map(str, seed_views.planned_seeds(plan)))
    assert f"promthctl seed sql{AT} 'supabase/my seed.sql'" in said
