namespace Aries;

/// <summary>A command that trains: a program, its arguments, and those that it gets when it goes on after a failure.</summary>
/// <remarks>
/// <para>No shell reads the arguments: each item is one argument, with these names replaced wherever they stand in it, and in the texts of <see cref="ExternalTrainerOptions.Settings"/>:</para>
/// <list type="table">
/// <listheader><term>name</term><description>what it becomes</description></listheader>
/// <item><term><c>{settings}</c></term><description>the JSON file of the settings</description></item>
/// <item><term><c>{data}</c></term><description>the JSONL file of the rows, <c>train.jsonl</c></description></item>
/// <item><term><c>{data-folder}</c></term><description>the folder that holds only that file</description></item>
/// <item><term><c>{model}</c>, <c>{adapter}</c></term><description>the policy to start from; an adapter that there is not becomes an empty text</description></item>
/// <item><term><c>{reference}</c>, <c>{reference-adapter}</c></term><description>π_ref, likewise</description></item>
/// <item><term><c>{output}</c></term><description>the folder that the trained checkpoint must be written to; it does not exist when the command starts</description></item>
/// <item><term><c>{work}</c></term><description>a folder for what the command saves along the way; it stays when the command fails</description></item>
/// <item><term><c>{seed}</c></term><description>the request's seed; a setting that is nothing but this name becomes a number</description></item>
/// </list>
/// <para>What a request holds and the command has no name for would be dropped, so it is an error: a reference other than the policy needs <c>{reference}</c>, an adapter <c>{adapter}</c>.</para>
/// </remarks>
/// <threadsafety>Immutable, as far as its lists are.</threadsafety>
public sealed record ExternalCommand
{
    /// <summary>Gets the program: a path, or a name to look up in <c>PATH</c>.</summary>
    public required string FileName { get; init; }

    /// <summary>Gets the arguments.</summary>
    /// <value>The default is none.</value>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Gets the arguments that follow them when <c>{work}</c> holds something to go on from: see <see cref="ResumePattern"/>.</summary>
    /// <value>The default is none, which is right for a command that looks for itself.</value>
    public IReadOnlyList<string> ResumeArguments { get; init; } = [];

    /// <summary>Gets the name, with the wildcards * and ?, of a file or folder directly in <c>{work}</c> that can be gone on from.</summary>
    /// <value>The default is <c>checkpoint-*</c>, as the Hugging Face trainers name theirs.</value>
    public string ResumePattern { get; init; } = "checkpoint-*";

    /// <summary>Gets variables that the command gets beside those of this process.</summary>
    /// <value>The default is none.</value>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Gets the folder that the command starts in.</summary>
    /// <value>The default is null: that of this process.</value>
    public string? WorkingDirectory { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentException">A value is missing or empty.</exception>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(FileName, nameof(FileName));
        ArgumentException.ThrowIfNullOrWhiteSpace(ResumePattern, nameof(ResumePattern));
        ArgumentNullException.ThrowIfNull(Environment, nameof(Environment));
        if (Arguments is null || Arguments.Contains(null!) || ResumeArguments is null || ResumeArguments.Contains(null!))
        {
            throw new ArgumentException("Arguments and ResumeArguments must be lists without nulls.", nameof(Arguments));
        }
    }

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal ExternalCommand Copy() => this with
    {
        Arguments = [.. Arguments],
        ResumeArguments = [.. ResumeArguments],
        Environment = new Dictionary<string, string>(Environment),
    };
}
