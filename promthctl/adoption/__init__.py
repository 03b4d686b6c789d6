"""Adopting a database whose SQL was pasted by hand: what is proven to be there is recorded as applied.

presence.py   how many of the migrations a database already has, going by its catalog alone
adopting.py   plan_adoption(): what would be recorded; record_adoption(): have the Supabase CLI record it
"""

from promthctl.adoption.adopting import Adoption, AdoptionGap, plan_adoption, record_adoption

__all__ = ["Adoption", "AdoptionGap", "plan_adoption", "record_adoption"]
