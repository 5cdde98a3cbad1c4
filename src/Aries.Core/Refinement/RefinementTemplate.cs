namespace Aries;

/// <summary>The fixed refinement template z of ARIES: how a question and an earlier answer become the prompt of a refinement, π(y₂|x,y₁,z).</summary>
/// <remarks>
/// <para>
/// ARIES, <see href="https://arxiv.org/abs/2502.05605"/>, section 3. The template is data: a text with the slots <c>{question}</c> and <c>{response}</c>, once each.
/// It replaces the text of the prompt's last turn; earlier turns stay.
/// </para>
/// <para>What fills a slot is never searched for slots again, so a response that imitates one is only text.</para>
/// </remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RefinementTemplate
{
    /// <summary>The slot that the question fills.</summary>
    public const string QuestionSlot = "{question}";

    /// <summary>The slot that the earlier answer fills.</summary>
    public const string ResponseSlot = "{response}";

    private readonly string _start;
    private readonly string _middle;
    private readonly string _end;
    private readonly bool _responseComesFirst;

    /// <summary>Creates a template.</summary>
    /// <param name="text">The text with both slots.</param>
    /// <exception cref="ArgumentException"><paramref name="text"/> is null, lacks a slot or holds one twice.</exception>
    public RefinementTemplate(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Text = text;
        int question = FindSlot(text, QuestionSlot);
        int response = FindSlot(text, ResponseSlot);
        _responseComesFirst = response < question;
        _start = text[..Math.Min(question, response)];
        _middle = _responseComesFirst ? text[(response + ResponseSlot.Length)..question] : text[(question + QuestionSlot.Length)..response];
        _end = text[(_responseComesFirst ? question + QuestionSlot.Length : response + ResponseSlot.Length)..];
    }

    /// <summary>Gets the default template: the parts that the paper's template is known to have, in this project's words.</summary>
    public static RefinementTemplate Default { get; } = new(
        """
        Below are a QUESTION and an EXAMPLE RESPONSE to it. Write a more helpful RESPONSE to the question: clearer, more accurate and better reasoned, step by step, without anything irrelevant.
        If the example response is adequate, improve it: keep what is right, mend what is wrong, add what is missing.
        If it is unclear or wrong, do not follow it: write a new response of your own.

        QUESTION:
        {question}

        EXAMPLE RESPONSE:
        {response}

        RESPONSE:
        """);

    /// <summary>Gets the text with both slots.</summary>
    public string Text { get; }

    /// <summary>Fills the template.</summary>
    /// <param name="prompt">x: what the user asked.</param>
    /// <param name="response">y₁: the answer to refine.</param>
    /// <returns>The prompt of the refinement.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public Prompt Apply(Prompt prompt, string response)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(response);
        string question = prompt.Question;
        return prompt.WithQuestion(_responseComesFirst
            ? string.Concat([_start, response, _middle, question, _end])
            : string.Concat([_start, question, _middle, response, _end]));
    }

    /// <inheritdoc />
    public override string ToString() => Text;

    private static int FindSlot(string text, string slot)
    {
        int index = text.IndexOf(slot, StringComparison.Ordinal);
        if (index < 0 || text.IndexOf(slot, index + slot.Length, StringComparison.Ordinal) >= 0)
        {
            throw new ArgumentException(
                $"A refinement template holds the slot {slot} exactly once, but this one holds it {(index < 0 ? "not at all" : "more than once")}: \"{text}\".", nameof(text));
        }

        return index;
    }
}
