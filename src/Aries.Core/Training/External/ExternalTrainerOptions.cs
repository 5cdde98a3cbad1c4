using System.Text.Json.Nodes;

namespace Aries;

/// <summary>Options of <see cref="ExternalPolicyTrainer"/>.</summary>
/// <threadsafety>Not synchronised: the trainer copies it.</threadsafety>
public sealed record ExternalTrainerOptions
{
    /// <summary>Gets or sets the command that learns preferences from rows of <c>prompt</c>, <c>chosen</c> and <c>rejected</c>.</summary>
    /// <value>The default is null: preference training is then a <see cref="NotSupportedException"/>.</value>
    public ExternalCommand? PreferenceCommand { get; set; }

    /// <summary>Gets or sets the command that learns responses from rows of <c>prompt</c> and <c>completion</c>.</summary>
    /// <value>The default is null: supervised training is then a <see cref="NotSupportedException"/>.</value>
    public ExternalCommand? SupervisedCommand { get; set; }

    /// <summary>Gets or sets the command's own settings: learning rate, β, batch size and so on, under its names, written to <c>{settings}</c> as they are but for the names of <see cref="ExternalCommand"/> in texts.</summary>
    /// <value>The default is empty. A part of what <see cref="ExternalPolicyTrainer.Describe()"/> says.</value>
    public JsonObject Settings { get; set; } = [];

    /// <summary>Gets or sets which rows each pair gives.</summary>
    /// <value>The default is <see cref="PreferenceRows.All"/>: direct and both refinement rows, as ARIES learns.</value>
    public PreferenceRows Rows { get; set; } = PreferenceRows.All;

    /// <summary>Gets or sets the form of the rows' texts.</summary>
    /// <value>The default is <see cref="PreferenceJsonlForm.Chat"/>, which the command renders with the model's chat template. For a model without one: <see cref="PreferenceJsonlForm.Plain"/>.</value>
    public PreferenceJsonlForm Form { get; set; } = PreferenceJsonlForm.Chat;

    /// <summary>Gets or sets whether the command reads the column <c>chosen_probability</c>.</summary>
    /// <value>The default is false: a pair with a soft label is then a <see cref="NotSupportedException"/>. True adds the columns of <see cref="PreferenceJsonlOptions.IncludeDetails"/>.</value>
    public bool HonorsSoftLabels { get; set; }

    /// <summary>Gets or sets what is told each line that the command writes, on any thread, one at a time.</summary>
    /// <value>The default is null. Lines are kept in the state folder's <c>log.txt</c> in any case.</value>
    public Action<string>? LogLine { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentException">A value is missing or outside its range.</exception>
    public void Validate()
    {
        PreferenceCommand?.Validate();
        SupervisedCommand?.Validate();
        ArgumentNullException.ThrowIfNull(Settings, nameof(Settings));
        if (PreferenceCommand is null && SupervisedCommand is null)
        {
            throw new ArgumentException("Neither PreferenceCommand nor SupervisedCommand is set: there is nothing to run.", nameof(PreferenceCommand));
        }

        if (Rows is <= PreferenceRows.None or > PreferenceRows.All)
        {
            throw new ArgumentOutOfRangeException(nameof(Rows), Rows, "Rows must name at least one kind of row, and no unknown one.");
        }

        if (Form is not (PreferenceJsonlForm.Plain or PreferenceJsonlForm.Chat))
        {
            throw new ArgumentOutOfRangeException(nameof(Form), Form, "Form must be Plain or Chat.");
        }
    }

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal ExternalTrainerOptions Copy() => this with
    {
        PreferenceCommand = PreferenceCommand?.Copy(),
        SupervisedCommand = SupervisedCommand?.Copy(),
        Settings = Settings.DeepClone().AsObject(),
    };
}
