namespace Aries;

/// <summary>How <see cref="PreferenceJsonl"/> writes pairs.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PreferenceJsonlOptions
{
    /// <summary>Gets the form of the texts.</summary>
    /// <value>The default is <see cref="PreferenceJsonlForm.Plain"/>, which holds prompts of one user turn only.</value>
    public PreferenceJsonlForm Form { get; init; } = PreferenceJsonlForm.Plain;

    /// <summary>Gets whether each line also has the columns <c>score_chosen</c>, <c>score_rejected</c>, <c>chosen_probability</c> and <c>trace_id</c>.</summary>
    /// <value>The default is true: a pair that is read is the pair that was written. False leaves the three columns that every trainer knows.</value>
    public bool IncludeDetails { get; init; } = true;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="Form"/> is not a value of its type.</exception>
    public void Validate()
    {
        if (Form is not (PreferenceJsonlForm.Plain or PreferenceJsonlForm.Chat))
        {
            throw new ArgumentOutOfRangeException(nameof(Form), Form, "Form must be Plain or Chat.");
        }
    }
}
