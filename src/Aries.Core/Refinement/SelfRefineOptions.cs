namespace Aries;

/// <summary>How <see cref="SelfRefine"/> asks.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record SelfRefineOptions
{
    /// <summary>The slot that the question fills.</summary>
    public const string QuestionSlot = "{question}";

    /// <summary>The slot that the last answer fills.</summary>
    public const string ResponseSlot = "{response}";

    /// <summary>The slot that the remarks on the last answer fill.</summary>
    public const string FeedbackSlot = "{feedback}";

    /// <summary>Gets or sets the number of answers of a chain; remarks do not count.</summary>
    /// <value>1 or greater. The default is 4, as many as <see cref="AriesRefinement"/> gives; the paper's tasks use up to five.</value>
    public int TurnCount { get; set; } = 4;

    /// <summary>Gets or sets how remarks are asked for: a text with <see cref="QuestionSlot"/> and <see cref="ResponseSlot"/>, once each.</summary>
    public string FeedbackTemplate { get; set; } =
        """
        Below are a QUESTION and a RESPONSE to it. Say what is wrong, unclear or missing in the response, and how to mend it. Be specific, and do not write a new response.
        End with a line "Rating: N/10".

        QUESTION:
        {question}

        RESPONSE:
        {response}

        FEEDBACK:
        """;

    /// <summary>Gets or sets how a rewrite is asked for: a text with <see cref="QuestionSlot"/>, <see cref="ResponseSlot"/> and <see cref="FeedbackSlot"/>, once each.</summary>
    public string RewriteTemplate { get; set; } =
        """
        Below are a QUESTION, a RESPONSE to it and FEEDBACK on that response. Write a better response that follows the feedback where it is right.

        QUESTION:
        {question}

        RESPONSE:
        {response}

        FEEDBACK:
        {feedback}

        BETTER RESPONSE:
        """;

    /// <summary>Gets or sets what reads the remarks and says whether the answer is good enough; see <see cref="SelfRefine.RatingAtLeast"/>.</summary>
    /// <value>The default is null: all turns are used.</value>
    public Func<string, bool>? StopWhen { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="TurnCount"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">A template is null, lacks a slot or holds one twice.</exception>
    public void Validate()
    {
        if (TurnCount < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(TurnCount), TurnCount, "TurnCount must be 1 or greater.");
        }

        CreateFeedbackTemplate();
        CreateRewriteTemplate();
    }

    internal SlotTemplate CreateFeedbackTemplate() => new(FeedbackTemplate, nameof(FeedbackTemplate), QuestionSlot, ResponseSlot);

    internal SlotTemplate CreateRewriteTemplate() => new(RewriteTemplate, nameof(RewriteTemplate), QuestionSlot, ResponseSlot, FeedbackSlot);
}
