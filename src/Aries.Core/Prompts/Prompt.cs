using System.Collections;

namespace Aries;

/// <summary>What a policy is asked: turns of a conversation, the last of them the user's.</summary>
/// <remarks>
/// A string converts to a prompt of one user turn. A backend renders the turns with the chat template of its model;
/// a model without one gets their texts joined as they are. Turns are data: no backend parses special tokens out of them.
/// </remarks>
/// <threadsafety>Immutable. Two prompts are equal when their turns are.</threadsafety>
public sealed class Prompt : IReadOnlyList<PromptTurn>, IEquatable<Prompt>
{
    private readonly PromptTurn[] _turns;

    /// <summary>Creates a prompt of one user turn.</summary>
    /// <param name="text">What the user says; may be empty, which a backend may refuse.</param>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public Prompt(string text) => _turns = [new PromptTurn(PromptRole.User, text)];

    /// <summary>Creates a prompt of several turns.</summary>
    /// <param name="turns">The turns, oldest first; copied. The last one is the user's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="turns"/> or one of its items is null.</exception>
    /// <exception cref="ArgumentException">There is no turn, or the last one is not the user's.</exception>
    public Prompt(IEnumerable<PromptTurn> turns)
    {
        ArgumentNullException.ThrowIfNull(turns);
        _turns = [.. turns];
        foreach (PromptTurn turn in _turns)
        {
            ArgumentNullException.ThrowIfNull(turn, nameof(turns));
        }

        if (_turns.Length == 0 || _turns[^1].Role != PromptRole.User)
        {
            throw new ArgumentException(
                $"A prompt ends with a turn of the user, but this one has {_turns.Length} turns{(_turns.Length == 0 ? "" : $" and ends with {_turns[^1].Role}")}.",
                nameof(turns));
        }
    }

    // Takes over the turns, which are checked.
    private Prompt(PromptTurn[] turns) => _turns = turns;

    /// <summary>Gets the number of turns; at least 1.</summary>
    public int Count => _turns.Length;

    /// <summary>Gets the text of the last turn: what the user asks now.</summary>
    public string Question => _turns[^1].Text;

    /// <summary>Gets whether there is no text in the last turn but white space.</summary>
    public bool IsBlank => string.IsNullOrWhiteSpace(Question);

    /// <inheritdoc />
    public PromptTurn this[int index] => _turns[index];

    /// <summary>Makes a prompt of one user turn.</summary>
    /// <param name="text">What the user says.</param>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public static implicit operator Prompt(string text) => new(text);

    /// <summary>Makes a prompt of one user turn.</summary>
    /// <param name="text">What the user says.</param>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public static Prompt FromString(string text) => new(text);

    /// <summary>Compares the turns of two prompts.</summary>
    /// <param name="left">One prompt.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(Prompt? left, Prompt? right) => Equals(left, right);

    /// <summary>Compares the turns of two prompts.</summary>
    /// <param name="left">One prompt.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(Prompt? left, Prompt? right) => !Equals(left, right);

    /// <summary>Returns a prompt with the same earlier turns whose last turn says something else.</summary>
    /// <param name="question">The new text of the last turn.</param>
    /// <exception cref="ArgumentNullException"><paramref name="question"/> is null.</exception>
    public Prompt WithQuestion(string question)
    {
        PromptTurn[] turns = [.. _turns];
        turns[^1] = new PromptTurn(PromptRole.User, question);
        return new Prompt(turns);
    }

    /// <inheritdoc />
    public bool Equals(Prompt? other) => other is not null && _turns.AsSpan().SequenceEqual(other._turns);

    /// <inheritdoc />
    public override bool Equals(object? obj) => Equals(obj as Prompt);

    /// <inheritdoc />
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (PromptTurn turn in _turns)
        {
            hash.Add(turn);
        }

        return hash.ToHashCode();
    }

    /// <summary>Returns the turns for a person to read.</summary>
    public override string ToString() =>
        _turns.Length == 1 ? Question : string.Join('\n', _turns.Select(turn => $"{turn.Role}: {turn.Text}"));

    /// <inheritdoc />
    public IEnumerator<PromptTurn> GetEnumerator() => ((IEnumerable<PromptTurn>)_turns).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
