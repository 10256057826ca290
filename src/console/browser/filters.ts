/** A choice takes force at once, also one that was made before this ran. */
export function applyFilters(): void {
  for (const select of document.querySelectorAll<HTMLSelectElement>(".filters select")) {
    const apply = (): void => select.form?.requestSubmit();
    select.addEventListener("change", apply);
    if (select.value !== valueAsLoaded(select)) apply();
  }
}

function valueAsLoaded({ options }: HTMLSelectElement): string | undefined {
  const all = [...options];
  return (all.find(({ defaultSelected }) => defaultSelected) ?? all[0])?.value;
}
